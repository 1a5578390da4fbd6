"""A comparison from question to verdict, and what is foreseen of it."""

import pytest

from evals.comparison import Design, Finding, Verdict
from evals.execution.budget import Budget, Limits
from evals.execution.early import FIRST_LOOK
from evals.trial import GUARDRAILS, Trial, contest, execution, foreseen, measure, metric_named
from rag.errors import GroundwireError
from rag.runtime import Runtime
from tests.evals.execution.conftest import COST, arm, arms, candidate, place, results, runtime, settings, some
from tests.servers.provider import Call, Provider, Reply, failure

__all__ = ["runtime", "settings"]

pytestmark = pytest.mark.anyio


def trial(number: int, **fields: object) -> Trial:
    design = Design(primary=("f1",), guardrails=GUARDRAILS[1:2])
    return Trial(**{"cases": some(number), "source": "shop.jsonl", "collection": "shop", "design": design} | fields)  # type: ignore[arg-type]


def better(call: Call) -> Reply:
    return Reply(pieces=("24 months." if candidate(call) else "Nobody knows.",))


async def test_two_variants_are_asked_and_compared(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    one = trial(12)
    asking = execution(runtime, one, arms(runtime))
    found = await contest(runtime, one, asking)
    assert found.verdict is Verdict.BETTER
    assert (found.a.name, found.b.name) == ("answer@1", "answer@2")
    assert (found.asked, found.repeats, found.cases, found.early) == (12, 1, "shop.jsonl", None)
    assert found.spent_nanodollars == 24 * COST
    assert found.a.outcomes == {"answered": 12}
    assert {flip.case.id for flip in found.flips} <= {case.id for case in one.cases}
    assert all(flip.gained and (flip.a.text, flip.b.text) == ("Nobody knows.", "24 months.") for flip in found.flips)


async def test_one_variant_is_asked(runtime: Runtime, provider: Provider) -> None:
    one = trial(3)
    asking = execution(runtime, one, [arm(runtime)])
    found = await measure(runtime, one, asking)
    assert (found.run.run_id, found.asked, found.planned) == (asking.records[0].id, 3, 3)
    assert (found.spent_nanodollars, found.trustworthy) == (3 * COST, True)
    assert len(results(asking)) == 3


async def test_too_many_failures_are_not_trustworthy(runtime: Runtime, provider: Provider) -> None:
    provider.play(lambda call: failure(500) if candidate(call) and place(call) < 3 else better(call))
    one = trial(20)
    found = await contest(runtime, one, execution(runtime, one, arms(runtime)))
    assert found.verdict is Verdict.UNTRUSTWORTHY
    assert found.verdict.exit_code == 4
    assert "3 of 20 requests of B were not answered" in found.reasons[0]
    assert found.b.outcomes == {"answered": 17, "failed": 3}


async def test_few_failures_count_and_do_not_spoil_it(runtime: Runtime, provider: Provider) -> None:
    provider.play(lambda call: failure(500) if candidate(call) and place(call) == 0 else better(call))
    one = trial(20)
    found = await contest(runtime, one, execution(runtime, one, arms(runtime)))
    assert found.verdict is not Verdict.UNTRUSTWORTHY
    assert found.effects[0].finding is Finding.BETTER
    assert found.effects[0].b.value == pytest.approx(19 / 20)
    assert found.effects[0].pairs == 20


async def test_it_stops_as_soon_as_it_is_known_and_counts_only_what_it_looked_at(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    one = trial(80, early_stop=True, limits=Limits(concurrency=6))
    found = await contest(runtime, one, execution(runtime, one, arms(runtime)))
    assert found.verdict is Verdict.BETTER
    early = found.early
    assert early is not None
    assert early.stopped
    assert early.asked == FIRST_LOOK
    assert early.planned == 80
    assert early.saved_calls == 160 - len(provider.calls) > 80
    assert early.saved_nanodollars == pytest.approx(early.saved_calls * COST)
    assert early.p < 0.05
    assert found.effects[0].pairs == early.asked
    assert not [problem for problem in found.problems if "ended before" in problem]


async def test_a_known_answer_is_not_asked_further(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    one = trial(80, early_stop=True)
    first = await contest(runtime, one, execution(runtime, one, arms(runtime)))
    calls = len(provider.calls)
    again = await contest(runtime, one, execution(runtime, one, arms(runtime)))
    assert len(provider.calls) == calls
    assert first.early is not None
    assert again.early is not None
    assert (again.verdict, again.early.asked, again.early.p) == (first.verdict, first.early.asked, first.early.p)


async def test_an_end_before_all_was_asked_is_a_problem(runtime: Runtime, provider: Provider) -> None:
    one = trial(40, limits=Limits(budget=Budget(2_000_000)))
    found = await contest(runtime, one, execution(runtime, one, arms(runtime)))
    assert found.spent_nanodollars is not None
    assert found.spent_nanodollars <= 2_000_000
    [problem] = [problem for problem in found.problems if "ended before all was asked" in problem]
    assert f"{len(provider.calls)} of 80" in problem


async def test_gold_that_the_collection_lacks_is_told(runtime: Runtime, provider: Provider) -> None:
    one = trial(5, cases=some(5, "gone.md"))
    found = await contest(runtime, one, execution(runtime, one, arms(runtime)))
    [problem] = [problem for problem in found.problems if "gone.md" in problem]
    assert problem.startswith("5 cases name gold documents that collection shop does not have")
    assert all(effect.metric.name != "recall" for effect in found.effects)


async def test_what_is_foreseen_costs_nothing_and_learns_from_earlier_runs(runtime: Runtime, provider: Provider) -> None:
    one = trial(12, repeats=2)
    before = await foreseen(runtime, one, arms(runtime), None)
    assert not provider.calls
    assert (before.cases, before.calls, before.timed, before.seconds) == (12, 48, False, (48 / 8 * 0.5, 48 / 8 * 10))
    assert before.nanodollars is not None
    assert before.nanodollars[1] - before.nanodollars[0] == pytest.approx(48 * 256 * 1600)
    provider.play(lambda call: Reply(pieces=("24 months." if place(call) % (2 + candidate(call)) else "Nobody knows.",)))
    await contest(runtime, one, execution(runtime, one, arms(runtime)))
    after = await foreseen(runtime, one, arms(runtime), 0.1)
    assert len(provider.calls) == 48
    assert after.nanodollars == (48 * COST, 48 * COST)
    assert after.timed
    assert after.seconds is not None
    [metric] = after.metrics
    assert metric.effect == 0.1
    assert metric.assumption is not None
    assert metric.assumption.source.startswith("measured on 12 cases")


async def test_an_unknown_price_is_foreseen_as_unknown(runtime: Runtime, provider: Provider) -> None:
    sides = [one._replace(variant=one.variant.answered_by("openai/nobody-knows")) for one in arms(runtime)]
    assert (await foreseen(runtime, trial(3), sides, None)).nanodollars is None


def test_what_decides_has_to_be_measured() -> None:
    assert metric_named("f1", judged=False).name == "f1"
    assert metric_named("correct", judged=True).name == "correct"
    with pytest.raises(GroundwireError, match="there is no metric beauty: there are exact_match, f1"):
        metric_named("beauty", judged=True)
    for name in ("correct", "preferred"):
        with pytest.raises(GroundwireError, match=f"{name} is what a judge says"):
            metric_named(name, judged=False)
