"""A stored run as a measurement."""

import json

import pytest

from evals.agreement import Label
from evals.comparison import Design
from evals.execution.execution import Execution
from evals.single import measured
from rag.runtime import Runtime
from rag.trace import Outcome
from tests.evals.execution.conftest import COST, arm, carried_out, place, runtime, settings, some
from tests.servers.provider import Call, Provider, Reply, failure

__all__ = ["runtime", "settings"]

pytestmark = pytest.mark.anyio

DESIGN = Design(primary=("f1",))
JUDGE = "openai/gpt-4.1"


def half_right(call: Call) -> Reply:
    """The first ten are right, and the first of them fails. As the judge: what is right is correct."""
    if "verdict" in call.text:
        right = "24 months [1]" in call.text
        return Reply(pieces=(json.dumps({"reason": "So.", "verdict": "correct" if right else "wrong"}),))
    if place(call) == 0:
        return failure(400, "no such model")
    return Reply(pieces=("24 months [1]." if place(call) < 10 else "Nobody knows.",))


async def asked(runtime: Runtime, *gold: str, judge: str | None = None) -> Execution:
    return await carried_out(runtime, [arm(runtime)], some(20, *gold), judge=judge)


async def test_a_stored_run_is_all_that_is_needed(runtime: Runtime, provider: Provider) -> None:
    provider.play(half_right)
    asking = await asked(runtime)
    calls = len(provider.calls)
    found = await measured(runtime, asking.records[0], DESIGN, standing=asking.standing)
    assert len(provider.calls) == calls
    assert (found.run.run_id, found.asked, found.planned) == (asking.records[0].id, 20, 20)
    assert (found.run.cost_nanodollars, found.spent_nanodollars) == (19 * COST, 19 * COST)
    assert (await measured(runtime, asking.records[0], DESIGN)).spent_nanodollars == 0
    means = {mean.metric.name: mean for mean in found.means}
    assert next(iter(means)) == "f1"
    assert means["failed"].estimate
    assert means["failed"].estimate.value == 0.05
    assert {(one.metric.name, one.quantile) for one in found.quantiles} == {("latency", 0.5), ("latency", 0.95)}
    assert len(found.run.latencies) == 20


async def test_what_failed_is_told_with_its_reason_and_not_as_an_answer(runtime: Runtime, provider: Provider) -> None:
    provider.play(half_right)
    asking = await asked(runtime)
    found = await measured(runtime, asking.records[0], DESIGN)
    (one,) = found.failures
    assert (one.case.id, one.outcome, found.failed, found.trustworthy) == ("case-0000", Outcome.FAILED, 1, True)
    assert one.reason
    assert "no such model" in one.reason
    assert any("1 of 20 requests of answer@2 were not answered" in problem for problem in found.problems)
    assert [worst.case.id for worst in found.worst] == [f"case-{n:04}" for n in range(10, 20)]
    assert {worst.answer.text for worst in found.worst} == {"Nobody knows."}


async def test_too_many_failures_are_not_trustworthy(runtime: Runtime, provider: Provider) -> None:
    provider.play(lambda call: failure(400) if place(call) < 3 else half_right(call))
    asking = await asked(runtime)
    found = await measured(runtime, asking.records[0], DESIGN)
    assert not found.trustworthy
    assert "more than 10%" in found.problems[0]


async def test_gold_documents_that_are_gone_are_told(runtime: Runtime, provider: Provider) -> None:
    provider.play(half_right)
    asking = await asked(runtime, "nowhere.md")
    found = await measured(runtime, asking.records[0], DESIGN)
    assert any("20 cases name gold documents that collection shop does not have" in problem for problem in found.problems)


async def test_a_judge_is_held_against_people(runtime: Runtime, provider: Provider) -> None:
    provider.play(half_right)
    asking = await asked(runtime, judge=JUDGE)
    labels = [Label(id=f"case-{n:04}", label="correct") for n in range(1, 20)]
    found = await measured(runtime, asking.records[0], Design(primary=("correct",)), labels=labels)
    assert found.judge
    assert found.judge_nanodollars
    assert found.agreement
    assert found.agreement.labels == 19
    assert found.agreement.share == pytest.approx(9 / 19)
    assert found.means[0].metric.name == "correct"


async def test_a_metric_that_no_case_has_is_told(runtime: Runtime, provider: Provider) -> None:
    provider.play(half_right)
    asking = await asked(runtime)
    found = await measured(runtime, asking.records[0], Design(primary=("recall",)))
    assert "no case has retrieval recall" in found.problems
    assert found.worst == ()
