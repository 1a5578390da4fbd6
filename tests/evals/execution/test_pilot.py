"""Earlier runs of the same variants tell of the next ones; others do not."""

from collections.abc import Sequence

import pytest

from evals.cases import Case
from evals.comparison import Design
from evals.execution.arms import Arm
from evals.execution.pilot import FEWEST, Pilot, pilot
from evals.pairwise import known_metrics
from evals.trial import Trial, execution
from rag.runtime import Runtime
from tests.evals.execution.conftest import COST, arm, arms, candidate, carried_out, place, some
from tests.servers.provider import Call, Provider, Reply

pytestmark = pytest.mark.anyio


def told(
    runtime: Runtime, cluster_by: str | None = None, names: tuple[str, ...] = ("f1",), planned: Sequence[Arm] = ()
) -> Pilot | None:
    one = Trial(cases=some(1), source="shop.jsonl", collection="shop", design=Design(primary=names))
    asking = execution(runtime, one, planned or arms(runtime))
    return pilot(asking.runs, asking.records, [known_metrics()[name] for name in names], cluster_by)


def tagged(number: int) -> list[Case]:
    return [case.model_copy(update={"tags": {"topic": str(place % 4)}}) for place, case in enumerate(some(number))]


def mixed(call: Call) -> Reply:
    right = place(call) % (2 if candidate(call) else 3) == 0
    return Reply(pieces=("24 months." if right else "Nobody knows.",))


async def test_nothing_is_known_before_both_were_asked(runtime: Runtime, provider: Provider) -> None:
    assert told(runtime) is None
    await carried_out(runtime, [arm(runtime, "answer@1")], some(12))
    assert told(runtime) is None
    await carried_out(runtime, [arm(runtime, "answer@2", "quoting")], some(12))
    assert told(runtime) is None
    await carried_out(runtime, [arm(runtime, "answer@2")], some(FEWEST - 1))
    assert told(runtime) is None


async def test_spread_cost_and_time_are_as_they_were(runtime: Runtime, provider: Provider) -> None:
    provider.play(mixed)
    asking = await carried_out(runtime, arms(runtime), tagged(12), repeats=2)
    found = told(runtime, names=("f1", "cost", "correct"))
    assert found is not None
    assert found.source == "measured on 12 cases of answer@1 and answer@2"
    assert set(found.pairs) == {"f1", "cost"}
    pairs = found.pairs["f1"]
    assert pairs.a.tolist() == [float(number % 3 == 0) for number in range(12)]
    assert pairs.b.tolist() == [float(number % 2 == 0) for number in range(12)]
    assert found.cluster_sizes == ()
    assert found.nanodollars == COST
    totals = [asking.runs.totals(run.id).seconds for run in asking.records]
    assert found.seconds == pytest.approx(sum(totals) / 48)
    assert told(runtime, planned=[arm(runtime, "answer@1"), arm(runtime, "answer@2", "quoting")]) is None


async def test_clusters_are_those_of_the_cases(runtime: Runtime, provider: Provider) -> None:
    await carried_out(runtime, arms(runtime), tagged(14))
    found = told(runtime, "topic")
    assert found is not None
    assert sorted(found.cluster_sizes) == [3, 3, 4, 4]
    assert sorted(found.pairs["f1"].a.shape) == [14]


async def test_the_newest_counts_and_only_what_both_were_asked(runtime: Runtime, provider: Provider) -> None:
    await carried_out(runtime, arms(runtime), some(20))
    await carried_out(runtime, [arm(runtime, "answer@1")], some(15))
    found = told(runtime)
    assert found is not None
    assert found.source.startswith("measured on 15 cases")


async def test_an_unknown_price_stays_unknown(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(usage=False))
    await carried_out(runtime, arms(runtime), some(FEWEST))
    found = told(runtime)
    assert found is not None
    assert found.nanodollars is None
