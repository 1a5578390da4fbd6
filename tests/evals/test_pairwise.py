"""Two stored runs as one comparison."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from evals.agreement import Label
from evals.cases import Case
from evals.comparison import Design, Guardrail, Verdict
from evals.execution.early import Early
from evals.execution.execution import Execution
from evals.pairwise import LATENCIES, compared, known_metrics
from rag.errors import GroundwireError
from rag.runtime import Runtime
from rag.types import Message
from tests.evals.execution.conftest import COST, arm, arms, candidate, carried_out, results, runtime, settings, some
from tests.servers.provider import Call, Provider, Reply, failure

__all__ = ["runtime", "settings"]

pytestmark = pytest.mark.anyio

DESIGN = Design(primary=("f1",), guardrails=(Guardrail(metric="cost", margin=0.1, relative=True),))
DEFAULT = DESIGN.model_copy(update={"guardrails": (Guardrail(metric="latency", margin=100, relative=True, by_default=True),)})
JUDGE = "openai/gpt-4.1"


def better(call: Call) -> Reply:
    """B is right. As the judge: what is right is correct, and the second of two is better, whichever that is."""
    if "winner" in call.text:
        return Reply(pieces=(json.dumps({"reason": "Last.", "winner": "2"}),))
    if "verdict" in call.text:
        right = "24 months [1]" in call.text
        return Reply(pieces=(json.dumps({"reason": "So.", "verdict": "correct" if right else "wrong"}),))
    return Reply(pieces=("24 months [1]." if candidate(call) else "Nobody knows.",))


async def asked(runtime: Runtime, cases: Sequence[Case], **options: object) -> Execution:
    return await carried_out(runtime, arms(runtime), cases, **options)  # type: ignore[arg-type]


async def test_the_stored_runs_are_all_that_is_needed(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    asking = await asked(runtime, some(12))
    a, b = asking.records
    calls = len(provider.calls)
    found = await compared(runtime, a, b, DESIGN)
    assert len(provider.calls) == calls
    assert found.verdict is Verdict.BETTER
    assert (found.a.run_id, found.b.run_id) == (a.id, b.id)
    assert (found.a.cost_nanodollars, found.b.cost_nanodollars, found.spent_nanodollars) == (12 * COST, 12 * COST, 0)
    assert list(found.a.latencies) == sorted(result.scores["latency"] for result in results(asking))  # type: ignore[type-var]
    assert found.fingerprint == a.fingerprint
    backwards = await compared(runtime, b, a, DESIGN)
    assert backwards.verdict is Verdict.WORSE
    assert backwards.effects[0].difference.value == -found.effects[0].difference.value


async def test_runs_over_other_cases_share_what_both_were_asked(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    first = await carried_out(runtime, [arm(runtime, "answer@1")], some(15))
    second = await carried_out(runtime, [arm(runtime, "answer@2")], some(12))
    found = await compared(runtime, first.records[0], second.records[0], DESIGN)
    assert (found.asked, found.effects[0].pairs) == (12, 12)
    assert any("3 cases asked of A only" in problem for problem in found.problems)


async def test_cases_that_changed_between_the_runs_are_never_paired(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    reworded = [case.model_copy(update={"references": ("Nobody knows.",)}) for case in some(2)]
    first = await carried_out(runtime, [arm(runtime, "answer@1")], some(12))
    second = await carried_out(runtime, [arm(runtime, "answer@2")], [*reworded, *some(12)[2:]])
    found = await compared(runtime, first.records[0], second.records[0], DESIGN)
    assert (found.asked, found.effects[0].pairs) == (10, 10)
    assert "2 cases are not the same in both runs and left out: case-0000, case-0001" in found.problems
    assert not any("ended after" in problem or "only" in problem for problem in found.problems)
    assert not {"case-0000", "case-0001"} & {flip.case.id for flip in found.flips}


@pytest.mark.parametrize("other", [None, "openai/gpt-4.1-mini"], ids=["no judge", "another judge"])
async def test_grades_of_two_judges_are_not_compared(runtime: Runtime, provider: Provider, other: str | None) -> None:
    provider.play(better)
    first = await carried_out(runtime, [arm(runtime, "answer@1")], some(4), judge=JUDGE)
    second = await carried_out(runtime, [arm(runtime, "answer@2")], some(4), judge=other)
    alike = await carried_out(runtime, [arm(runtime, "answer@2")], some(4), judge=JUDGE)
    a, b = first.records[0], second.records[0]
    assert a.judge
    found = await compared(runtime, a, b, DESIGN)
    assert "correct" not in {effect.metric.name for effect in found.effects}
    assert any(f"graded by {a.judge}, and B by {b.judge or 'no judge'}" in problem for problem in found.problems)
    found = await compared(runtime, a, alike.records[0], DESIGN)
    assert "correct" in {effect.metric.name for effect in found.effects}
    assert not any("graded by" in problem for problem in found.problems)


async def test_scores_of_different_versions_are_told(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    asking = await asked(runtime, some(3))
    a, b = asking.records
    assert not any("different versions" in problem for problem in (await compared(runtime, a, b, DESIGN)).problems)
    old = results(asking)[1]
    newest, *others = old.scorers
    await asking.runs.record(a.id, old.model_copy(update={"scorers": ("former@0", *others)}))
    found = await compared(runtime, a, b, DESIGN)
    versions = ", ".join(sorted(("former@0", newest)))
    assert f"scored by different versions ({versions}): `evals score RUN` scores both alike" in found.problems


async def test_a_baseline_that_was_answered_before_is_not_timed_against_what_is_answered_now(
    runtime: Runtime, provider: Provider
) -> None:
    """Whoever keeps a baseline and tries one prompt after the other still has a verdict."""
    provider.play(better)
    baseline = await carried_out(runtime, [arm(runtime, "answer@1")], some(12))
    asking = await asked(runtime, some(12))
    assert asking.records[0].id == baseline.records[0].id
    found = await compared(runtime, *asking.records, DEFAULT)
    assert found.verdict is Verdict.BETTER
    assert "latency" not in {effect.metric.name for effect in found.effects}
    assert [problem for problem in found.problems if "latency is not measured: A was timed on 20" in problem]
    assert found.a.latencies == found.b.latencies == ()
    named = DEFAULT.model_copy(update={"guardrails": (DEFAULT.guardrails[0].model_copy(update={"by_default": False}),)})
    assert (await compared(runtime, *asking.records, named)).verdict is Verdict.UNKNOWN
    fresh = await asked(runtime, some(12), fresh=True)
    anew = await compared(runtime, *fresh.records, DEFAULT)
    assert "latency" in {effect.metric.name for effect in anew.effects}
    assert not [problem for problem in anew.problems if "timed" in problem]


async def test_answers_that_are_repeated_are_timed_by_whoever_asked_them_first(runtime: Runtime, provider: Provider) -> None:
    """More cases are another run, which repeats what was answered: A's of one command, B's of another, the rest of this one."""
    provider.play(better)
    await carried_out(runtime, [arm(runtime, "answer@1")], some(3))
    await carried_out(runtime, [arm(runtime, "answer@2")], some(3))
    found = await compared(runtime, *(await asked(runtime, some(12))).records, DEFAULT)
    assert next(effect for effect in found.effects if effect.metric.name == "latency").pairs == 9
    assert any("latency is measured on 9 of 12 cases" in problem for problem in found.problems)


async def test_a_command_that_goes_on_times_what_it_asks_on_both_sides(runtime: Runtime, provider: Provider) -> None:
    """Of the case at which it was stopped only one side was answered: that one is left out."""
    provider.play(better)
    first = await asked(runtime, some(12))
    a, b = (results(first, side) for side in (0, 1))
    again = (datetime.fromisoformat(b[-1].timed[0]) + timedelta(hours=1)).isoformat()
    for side, result in ((0, a[-2]), (1, b[-2]), (1, b[-1])):
        await first.runs.record(first.records[side].id, result.model_copy(update={"timed": (again,)}))
    found = await compared(runtime, *first.records, DEFAULT)
    assert next(effect for effect in found.effects if effect.metric.name == "latency").pairs == 11


async def test_an_answer_that_both_sides_share_took_both_as_long(runtime: Runtime, provider: Provider) -> None:
    asking = await carried_out(runtime, [arm(runtime), arm(runtime, variant="quoting")], some(4))
    found = await compared(runtime, *asking.records, DEFAULT)
    assert len(provider.calls) == 4
    assert next(effect for effect in found.effects if effect.metric.name == "latency").pairs == 4


async def test_a_watched_run_that_ended_counts_what_was_looked_at(runtime: Runtime, provider: Provider) -> None:
    """The first case of the order was never answered: nothing was looked at, whatever else was."""
    provider.play(better)
    asking = await asked(runtime, some(12))
    early = Early([known_metrics()["f1"]], (), ["late", *(case.id for case in some(12))], 1, DESIGN)
    for side in (0, 1):
        for result in results(asking, side):
            early.see(side, result)
    a, b = asking.records
    found = await compared(runtime, a, b, DESIGN, early=early)
    assert (found.asked, found.verdict) == (0, Verdict.UNTRUSTWORTHY)


async def test_a_run_that_was_cut_short_is_told(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    a, b = (await asked(runtime, some(12))).records
    assert not any("ended after" in problem for problem in (await compared(runtime, a, b, DESIGN)).problems)
    found = await compared(runtime, a, b.model_copy(update={"asked": 161}), DESIGN)
    assert any("run answer@2 ended after 12 of 161 cases" in problem for problem in found.problems)


async def test_runs_over_other_collections_are_refused(runtime: Runtime, provider: Provider) -> None:
    a, b = (await asked(runtime, some(2))).records
    with pytest.raises(GroundwireError, match="asked collection shop, and run .* asked other: compare runs over one collection"):
        await compared(runtime, a, b.model_copy(update={"collection": "other"}), DESIGN)


async def test_another_generation_is_told(runtime: Runtime, provider: Provider) -> None:
    a, b = (await asked(runtime, some(3))).records
    found = await compared(runtime, a, b.model_copy(update={"generation": "other"}), DESIGN)
    assert any("the collection changed between the two runs" in problem for problem in found.problems)


async def test_what_was_said_before_is_sent_where_the_question_rests_on_it(runtime: Runtime, provider: Provider) -> None:
    said = (Message(role="user", content="Do you sell kettles?"), Message(role="assistant", content="We do."))
    cases = [Case(id="rests", question="How long is the warranty on them?", history=said)]
    await asked(runtime, cases)
    assert provider.calls
    for call in provider.calls:
        assert [message["content"] for message in call.body["messages"][1:3]] == ["Do you sell kettles?", "We do."]


async def test_a_metric_that_no_run_has_leaves_nothing_to_decide_by(runtime: Runtime, provider: Provider) -> None:
    provider.script(failure(500))
    a, b = (await asked(runtime, some(4))).records
    found = await compared(
        runtime, a, b, DESIGN.model_copy(update={"guardrails": (Guardrail(metric="hallucination", margin=0.1),)})
    )
    assert found.verdict is Verdict.UNTRUSTWORTHY
    assert "4 of 4 requests of A were not answered" in found.reasons[0]
    assert found.a.outcomes == {"failed": 4}


async def test_a_judge_grades_prefers_in_both_orders_and_is_paid_once(runtime: Runtime, provider: Provider) -> None:
    provider.play(better)
    asking = Execution(runtime, arms(runtime), some(6), "shop", source="shop.jsonl", scorers=(), judge_model=JUDGE)
    try:
        await asking.carry_out()
        a, b = asking.records
        graded = sum(call.body["model"] == "gpt-4.1" for call in provider.calls)
        assert graded == 12
        design = Design(primary=("correct",))
        labels = [Label(id=case.id, label="correct", variant="answer@2") for case in some(6)]
        found = await compared(runtime, a, b, design, judge=asking.judge, labels=labels, standing=asking.standing)
    finally:
        await asking.close()
    made = [call for call in provider.calls if call.body["model"] == "gpt-4.1"]
    assert len(made) == 12 + 2 * 6
    price = 100 * 2000 + 7 * 8000
    assert found.judge_nanodollars == len(made) * price
    assert found.spent_nanodollars == 12 * COST + len(made) * price
    correct = next(effect for effect in found.effects if effect.metric.name == "correct")
    preferred = next(effect for effect in found.effects if effect.metric.name == "preferred")
    assert (correct.a.value, correct.b.value) == (0, 1)
    assert (preferred.a.value, preferred.b.value) == (0.5, 0.5)
    assert any("with the order of the answers in 6 of 6 cases, no better than a coin" in problem for problem in found.problems)
    assert (preferred.torn, preferred.worst_case) == (6, (-1, 1))
    assert found.agreement is not None
    assert (found.agreement.labels, found.agreement.share) == (6, 1.0)
    assert any("all 6 labelled answers have one grade" in problem for problem in found.problems)


async def test_at_most_so_many_latencies_are_kept(runtime: Runtime, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    asking = await asked(runtime, some(20))
    monkeypatch.setattr("evals.pairwise.LATENCIES", 7)
    a, b = asking.records
    found = await compared(runtime, a, b, DESIGN)
    seconds = sorted(float(result.scores["latency"]) for result in results(asking))  # type: ignore[arg-type]
    assert len(found.a.latencies) == 7 < LATENCIES
    assert (found.a.latencies[0], found.a.latencies[-1]) == (seconds[0], seconds[-1])
    assert set(found.a.latencies) <= set(seconds)


def test_what_can_decide_is_what_scorers_and_the_judge_give() -> None:
    assert {"f1", "recall", "hallucination", "cost", "latency", "correct", "preferred"} <= known_metrics().keys()
    assert all(metric.name == name for name, metric in known_metrics().items())
