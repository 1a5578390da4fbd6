"""Two runs are compared as a statistician would sign: every verdict is reached, by the tables that should reach it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import ArrayLike

from evals.analysis.compare import Analysis, compare
from evals.analysis.verdict import DECIDE
from evals.comparison import Design, Effect, Finding, Guardrail, Role, Verdict
from evals.scores import FloatArray
from evals.stats.multiplicity import benjamini_hochberg
from evals.stats.paired import Pairs
from evals.stats.power import plan
from evals.stats.sequential import Sequential
from rag.errors import GroundwireError
from tests.evals.analysis.tables import cases, metric, table

F1, EXACT, COST, LATENCY = (
    metric("f1"),
    metric("exact", "binary"),
    metric("cost", "dollars", "lower"),
    metric("latency", "seconds", "lower"),
)
INVENTED, RECALL = metric("invented", "binary", "lower"), metric("recall")
METRICS = [F1, EXACT, COST, LATENCY, INVENTED, RECALL]
CHEAP = Guardrail(metric="cost", margin=0.1, relative=True)
HONEST = Guardrail(metric="invented", margin=0.05)
N = 200


def design(*primary: str, **changes: object) -> Design:
    return Design.model_validate({"primary": primary or ("f1",), **changes})


def compared(
    a: Mapping[str, ArrayLike],
    b: Mapping[str, ArrayLike],
    plan: Design | None = None,
    of_a: Mapping[str, Any] | None = None,
    of_b: Mapping[str, Any] | None = None,
) -> Analysis:
    tables = table(a, **(of_a or {})), table(b, **(of_b or {}), side="b")
    return compare(*tables, cases(max(len(one.case_ids) for one in tables)), METRICS, plan or design())


def effect(analysis: Analysis, name: str) -> Effect:
    return next(effect for effect in analysis.effects if effect.metric.name == name)


def drawn(seed: int = 0, count: int = N) -> FloatArray:
    return np.random.default_rng(seed).random(count) * 0.8 + 0.1


def moved(values: FloatArray, by: float, seed: int = 1, spread: float = 0.05) -> FloatArray:
    return np.clip(values + by + np.random.default_rng(seed).normal(0, spread, values.shape), 0, 1)


COSTS = np.random.default_rng(7).lognormal(-7, 0.3, N)


def test_better() -> None:
    a = drawn()
    analysis = compared({"f1": a, "cost": COSTS}, {"f1": moved(a, 0.05), "cost": COSTS * 1.02}, design(guardrails=(CHEAP,)))
    assert analysis.verdict is Verdict.BETTER
    assert analysis.verdict.exit_code == 0
    assert [(one.metric.name, one.role, one.finding) for one in analysis.effects] == [
        ("f1", Role.PRIMARY, Finding.BETTER),
        ("cost", Role.GUARDRAIL, Finding.HELD),
    ]
    one = effect(analysis, "f1")
    assert one.difference.low < 0.05 < one.difference.high
    assert (one.pairs, one.units, one.p_adjusted, one.margin) == (N, N, one.p, 0.03)
    assert one.naive is not None
    assert one.naive.high - one.naive.low > 4 * (one.difference.high - one.difference.low)
    assert effect(analysis, "cost").margin == pytest.approx(0.1 * COSTS.mean())
    assert analysis.problems == ()


def test_worse() -> None:
    a = drawn()
    analysis = compared({"f1": a}, {"f1": moved(a, -0.05)})
    assert (analysis.verdict, analysis.verdict.exit_code) == (Verdict.WORSE, 1)
    assert analysis.reasons == ("it shares fewer words with the expected answers, f1 0.532 → 0.478 (-0.060 to -0.047)",)


def test_equivalent() -> None:
    a = drawn()
    analysis = compared({"f1": a}, {"f1": moved(a, 0)})
    assert (analysis.verdict, analysis.verdict.exit_code) == (Verdict.EQUIVALENT, 0)
    assert analysis.reasons[0].endswith("what difference there may be is within 0.030, too small to matter")


def test_not_known_yet() -> None:
    analysis = compared({"f1": drawn(1, 30)}, {"f1": drawn(2, 30)})
    assert (analysis.verdict, analysis.verdict.exit_code) == (Verdict.UNKNOWN, 3)
    assert analysis.reasons[0].endswith("may be chance")
    assert "if it stays like this, even 20 times as many cases would not be enough" in analysis.reasons[1]
    assert DECIDE not in analysis.reasons


def test_not_trustworthy_with_too_many_failures() -> None:
    a = drawn()
    analysis = compared(
        {"f1": a},
        {"f1": moved(a, 0.1)},
        of_a={"outcomes": {"answered": 180, "failed": 20}},
        of_b={"outcomes": {"answered": 170, "failed": 28, "timed_out": 2}},
    )
    assert (analysis.verdict, analysis.verdict.exit_code) == (Verdict.UNTRUSTWORTHY, 4)
    assert analysis.reasons == ("30 of 200 requests of B were not answered (28 failed, 2 timed out), more than 10%",)
    assert analysis.problems == ()
    assert analysis.notes == ("20 of 200 requests of A were not answered (20 failed)",)


def test_better_at_a_cost_that_is_not_tolerated_is_worse() -> None:
    a = drawn()
    analysis = compared({"f1": a, "cost": COSTS}, {"f1": moved(a, 0.05), "cost": COSTS * 1.3}, design(guardrails=(CHEAP,)))
    assert analysis.verdict is Verdict.WORSE
    assert analysis.reasons[0].startswith("it costs more, cost $")
    assert "where no more than 10 % is tolerated; it shares more words" in analysis.reasons[0]


def test_better_with_a_guardrail_that_is_not_known_is_not_known() -> None:
    a, few = drawn(count=40), np.random.default_rng(3).random((2, 40)) < 0.3
    plan = design(guardrails=(HONEST,))
    analysis = compared({"f1": a, "invented": few[0]}, {"f1": moved(a, 0.05), "invented": few[1]}, plan)
    assert analysis.verdict is Verdict.UNKNOWN
    assert analysis.reasons[0].startswith("it shares more words")
    assert analysis.reasons[0].endswith("Whether invented is no worse than tolerated is open")
    assert analysis.reasons[1].startswith("invented: it may be worse by more than the 5.0 points that is tolerated")


def test_a_sure_but_small_effect_is_told_to_be_small() -> None:
    a = drawn()
    analysis = compared({"f1": a}, {"f1": moved(a, 0.01, spread=0.01)})
    assert analysis.verdict is Verdict.BETTER
    assert analysis.reasons[0].endswith("though by less than the 0.030 that matter")


def test_the_primary_metrics_are_corrected_together() -> None:
    rng = np.random.default_rng(5)
    a, b = {"f1": rng.random(60), "exact": rng.random(60) < 0.5}, {"f1": rng.random(60), "exact": rng.random(60) < 0.5}
    together = compared(a, b, design("f1", "exact"))
    ps = sorted(one.p for one in together.effects)
    assert sorted(one.p_adjusted or 0 for one in together.effects) == pytest.approx(
        [min(1, 2 * ps[0]), max(min(1, 2 * ps[0]), ps[1])]
    )


def test_what_one_primary_metric_alone_would_show_two_may_not() -> None:
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 1, 60)
    a = {"f1": np.full(60, 0.5), "recall": rng.random(60)}
    b = {"f1": 0.5 + 0.1 * (noise - noise.mean() + 0.28), "recall": rng.random(60)}
    assert 0.025 < effect(compared(a, b), "f1").p < 0.05
    assert effect(compared(a, b), "f1").finding is Finding.BETTER
    assert effect(compared(a, b, design("f1", "recall")), "f1").finding is Finding.UNKNOWN


def test_other_metrics_decide_nothing() -> None:
    a = drawn()
    analysis = compared({"f1": a, "recall": a}, {"f1": moved(a, 0.05), "recall": moved(a, -0.2)})
    assert analysis.verdict is Verdict.BETTER
    assert (effect(analysis, "recall").finding, effect(analysis, "recall").p_adjusted) == (Finding.WORSE, None)


def test_a_guardrail_of_nothing_but_zeros_is_held_where_nothing_differs() -> None:
    a, free = drawn(), np.zeros(N)
    same = compared({"f1": a, "cost": free}, {"f1": moved(a, 0.05), "cost": free}, design(guardrails=(CHEAP,)))
    assert same.verdict is Verdict.BETTER
    dearer = compared({"f1": a, "cost": free}, {"f1": moved(a, 0.05), "cost": COSTS}, design(guardrails=(CHEAP,)))
    assert dearer.verdict is Verdict.WORSE


def test_a_guardrail_that_applies_to_no_case_is_let_go_and_said() -> None:
    a = drawn()
    analysis = compared({"f1": a}, {"f1": moved(a, 0.05)}, design(guardrails=(HONEST,)))
    assert analysis.verdict is Verdict.BETTER
    assert analysis.problems == ("invented applies to no case, and decides nothing",)


def test_a_guardrail_that_b_never_lets_be_measured_is_not_known() -> None:
    a = drawn()
    analysis = compared(
        {"f1": a, "invented": np.zeros(N)}, {"f1": moved(a, 0.05), "invented": np.full(N, np.nan)}, design(guardrails=(HONEST,))
    )
    assert analysis.verdict is Verdict.UNKNOWN
    assert analysis.reasons[1].startswith("invented is a guardrail")
    assert "invented applies on one side only to 200 cases, which are left out of its mean" in analysis.problems


def test_a_primary_metric_is_no_guardrail_as_well() -> None:
    a = drawn()
    analysis = compared({"f1": a}, {"f1": moved(a, 0.05)}, design(guardrails=(Guardrail(metric="f1", margin=0),)))
    assert [one.role for one in analysis.effects] == [Role.PRIMARY]
    assert analysis.verdict is Verdict.BETTER


def gap(count: int, cases: int = N) -> dict[str, Any]:
    return {"missing": {"f1": np.arange(cases) < count}}


def test_missing_values_are_counted_and_bound() -> None:
    a = np.full(N, 0.5)
    analysis = compared({"f1": a}, {"f1": moved(a, 0.3)}, of_a=gap(4), of_b=gap(10))
    one = effect(analysis, "f1")
    assert (one.pairs, one.missing_a, one.missing_b) == (N - 10, 4, 10)
    rest = float(np.sum(moved(a, 0.3)[10:] - 0.5))
    assert one.worst_case == pytest.approx(((rest - 4 * 1 - 6 * 0.5) / N, (rest + 4 * 1 + 6 * 0.5) / N))
    assert analysis.verdict is Verdict.BETTER
    told = "values of f1 are missing, 4 of 200 from A and 10 of 200 from B: the judge was silent"
    assert (analysis.problems, analysis.notes) == ((), (told,))


def test_what_missing_values_could_turn_is_not_known() -> None:
    a = drawn()
    b = moved(a, 0.02, spread=0.02)
    assert compared({"f1": a}, {"f1": b}).verdict is Verdict.BETTER
    analysis = compared({"f1": a}, {"f1": b}, of_b=gap(16))
    assert effect(analysis, "f1").p < 0.001
    assert analysis.verdict is Verdict.UNKNOWN
    assert analysis.reasons[0].endswith("is not certain")
    assert "16 missing values leave open anything from -0." in analysis.reasons[1]


def test_a_repeat_that_is_missing_leaves_the_case_its_others() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((50, 2)), rng.random((50, 2))
    lost = np.zeros((50, 2), dtype=bool)
    lost[0, 1] = True
    one = effect(compared({"f1": a}, {"f1": b}, of_b={"missing": {"f1": lost}}), "f1")
    assert (one.pairs, one.missing_b) == (50, 1)
    assert one.difference.value == pytest.approx((b.mean(axis=1).sum() - b[0].mean() + b[0, 0] - a.mean(axis=1).sum()) / 50)


def test_who_refuses_the_hard_questions_is_not_better_at_the_others() -> None:
    """The share of supported claims, which a refusal does not have."""
    a, b = np.r_[np.full(50, 0.9), np.full(50, 0.3)], np.r_[np.full(50, 1.0), np.full(50, np.nan)]
    answering = {"refusal_correct": np.ones(100)}, {"refusal_correct": np.r_[np.ones(50), np.zeros(50)]}
    tables = table({"f1": a, **answering[0]}), table({"f1": b, **answering[1]}, side="b")
    analysis = compare(*tables, cases(100), [*METRICS, metric("refusal_correct", "binary")], design())
    one = effect(analysis, "f1")
    assert (one.p < 0.001, one.difference.value, one.alone) == (True, pytest.approx(0.1), 50)
    assert one.worst_case == pytest.approx((0.05 - 0.15, 0.05 + 0.35))
    assert analysis.verdict is Verdict.UNKNOWN
    assert "50 cases to which it applies on one side only leave open anything from -0.100 to +0.400" in analysis.reasons[1]
    assert (analysis.flips.lost, analysis.flips.gained) == (50, 0)
    assert analysis.flips.flipped[0].metric == "refusal_correct"


def test_a_few_refusals_change_nothing_that_is_sure() -> None:
    a = drawn()
    b = np.where(np.arange(N) < 3, np.nan, moved(a, 0.2))
    assert compared({"f1": a}, {"f1": b}).verdict is Verdict.BETTER


def torn(count: int, asked: int = 100) -> Analysis:
    """What a judge prefers that says two things of `count` cases, and finds the others alike."""
    noise = np.where(np.arange(asked) < count, 0.25, 0.0)
    tables = [table({"f1": np.full(asked, 0.5)}, side=side) for side in "ab"]
    doubted = [replace(one, columns={"f1": replace(one.columns["f1"], noise=noise)}) for one in tables]
    return compare(doubted[0], doubted[1], cases(asked), METRICS, design(margin=0.05))


def test_a_judge_that_says_two_things_has_measured_no_tie() -> None:
    assert torn(0).verdict is Verdict.EQUIVALENT
    analysis = torn(90)
    assert analysis.verdict is Verdict.UNKNOWN
    assert "90 cases of which the judge said two things leave open anything from -0.900 to +0.900" in analysis.reasons[1]


def test_a_judge_that_says_two_things_of_some_may_be_sure_of_the_others() -> None:
    noise = np.where(np.arange(100) < 30, 0.25, 0.0)
    a, b = np.r_[np.full(30, 0.5), np.zeros(70)], np.r_[np.full(30, 0.5), np.ones(70)]
    tables = [table({"f1": values}, side=side) for side, values in (("a", a), ("b", b))]
    doubted = [replace(one, columns={"f1": replace(one.columns["f1"], noise=noise)}) for one in tables]
    assert compare(doubted[0], doubted[1], cases(100), METRICS, design()).verdict is Verdict.BETTER


def test_a_question_asked_twice_counts_once() -> None:
    rng = np.random.default_rng(3)
    a, by = rng.random(10) * 0.5 + 0.2, rng.normal(0.05, 0.08, 10)
    once = compare(table({"f1": a}), table({"f1": a + by}, side="b"), cases(10), METRICS, design())
    questions = [f"Question {i % 10}?" for i in range(100)]
    tables = table({"f1": np.tile(a, 10)}), table({"f1": np.tile(a + by, 10)}, side="b")
    tenfold = compare(*tables, cases(100, question=questions), METRICS, design())
    of_once, of_tenfold = effect(once, "f1"), effect(tenfold, "f1")
    assert (of_tenfold.units, of_tenfold.pairs) == (10, 100)
    assert (of_tenfold.difference.low, of_tenfold.p) == (pytest.approx(of_once.difference.low), of_once.p)
    assert any(problem.startswith("90 cases ask what another one of them asks") for problem in tenfold.problems)


BEFORE, NOW = "2026-11-22T08:00:00.000000+00:00", "2026-11-23T14:05:30.000000+00:00"
FAST = Guardrail(metric="latency", margin=0.2, relative=True)
BY_DEFAULT = FAST.model_copy(update={"by_default": True})


def timed(plan: Design, of_a: ArrayLike, of_b: ArrayLike = NOW) -> Analysis:
    """B answers better, and half as slow again by seconds that were measured when `of_a` and `of_b` say."""
    a, seconds = drawn(), np.random.default_rng(9).lognormal(0, 0.1, N)
    sides = {"f1": a, "latency": seconds}, {"f1": moved(a, 0.1), "latency": 1.5 * seconds}
    return compared(*sides, plan, {"timed": of_a}, {"timed": of_b})


def test_times_of_another_day_hold_no_guardrail_and_break_none() -> None:
    assert timed(design(guardrails=(BY_DEFAULT,)), NOW).verdict is Verdict.WORSE
    analysis = timed(design(guardrails=(BY_DEFAULT,)), BEFORE)
    assert analysis.verdict is Verdict.BETTER
    assert [one.metric.name for one in analysis.effects] == ["f1"]
    assert (analysis.quantiles, analysis.timed) == ((), ())
    assert analysis.problems == (
        "latency is not measured: A was timed on 2026-11-22 08:00:00 UTC and B on 2026-11-23 14:05:30 UTC, and --fresh times both side by side",
    )


def test_a_guardrail_that_was_asked_for_is_not_known_where_its_times_cannot_be_compared() -> None:
    analysis = timed(design(guardrails=(FAST,)), BEFORE)
    assert analysis.verdict is Verdict.UNKNOWN
    assert analysis.reasons[1].startswith("latency is a guardrail, and can be compared on fewer than two independent cases")
    assert analysis.problems[0].startswith("latency is not measured: A was timed on 2026-11-22")


@pytest.mark.parametrize(("together", "verdict"), [(0.6, Verdict.WORSE), (0.4, Verdict.BETTER)])
def test_times_are_compared_of_cases_that_were_asked_side_by_side(together: float, verdict: Verdict) -> None:
    """Where they are most: fewer are no measure of all."""
    askings = np.where(np.arange(N) < together * N, NOW, BEFORE)
    analysis = timed(design(guardrails=(BY_DEFAULT,)), askings)
    assert (analysis.verdict, effect(analysis, "latency").pairs) == (verdict, together * N)
    assert analysis.problems[0].startswith(f"latency is measured on {together * N:.0f} of 200 cases: A was timed on 2026-11-22")


def test_a_primary_metric_of_times_that_cannot_be_compared_is_not_trustworthy() -> None:
    assert timed(design("latency"), BEFORE).verdict is Verdict.UNTRUSTWORTHY


@pytest.mark.parametrize("asking", ["", f"{BEFORE} {NOW}"])
def test_times_that_are_not_known_to_be_of_one_asking_are_not_compared(asking: str) -> None:
    """Runs of a time when it was not kept, and answers of which one side may have kept what the other asked anew."""
    analysis = timed(design(guardrails=(BY_DEFAULT,)), asking, asking)
    assert analysis.verdict is Verdict.BETTER
    assert "latency is not measured: A and B are not known to have been timed together, and --fresh" in analysis.problems[0]
    other = timed(design(guardrails=(BY_DEFAULT,)), "")
    assert "A was timed earlier and B on 2026-11-23 14:05:30 UTC" in other.problems[0]


def test_repeats_of_a_command_that_went_on_are_timed_together() -> None:
    """Some repeats were asked before it was stopped; one that was never asked says nothing."""
    seconds, askings = np.ones((40, 3)), np.tile([BEFORE, NOW, ""], (40, 1))
    sides = [table({"f1": seconds, "latency": seconds}, side=side, timed=askings) for side in ("a", "b")]
    asked = [replace(one, trace_ids=np.where(askings == "", "", one.trace_ids)) for one in sides]
    plan = design(guardrails=(BY_DEFAULT,))
    assert len(compare(asked[0], asked[1], cases(40), METRICS, plan).timed) == 40
    assert compare(sides[0], sides[1], cases(40), METRICS, plan).timed == ()


def test_a_direction_that_only_the_first_of_repeated_questions_have_is_not_known() -> None:
    """Whoever looks at each question once may see another direction than the mean over all cases has."""
    watch = Sequential(0.05)
    a = np.r_[np.full(32, 0.3), np.full(32, 0.9)]
    b = np.r_[a[:32] + 0.3, np.full(32, 0.1)]
    for one in (b - a)[:32]:
        watch.observe(one)
    asked = cases(64, question=[f"Question {number}?" for number in range(32)] + ["Question 0?"] * 32)
    tables = table({"f1": a}), table({"f1": b}, side="b")
    analysis = compare(*tables, asked, METRICS, design(), {"f1": watch}, 3)
    assert watch.decided == "better"
    assert analysis.verdict is Verdict.UNKNOWN
    assert effect(analysis, "f1").difference.value == pytest.approx(0.3)
    clear = compare(table({"f1": a[:32]}), table({"f1": b[:32]}, side="b"), cases(32), METRICS, design(), {"f1": watch}, 3)
    assert clear.verdict is Verdict.BETTER
    unseen = compare(*tables, asked, METRICS, design(), {"f1": Sequential(0.05)}, 3)
    assert unseen.verdict is Verdict.UNKNOWN


def test_too_many_missing_values_are_not_trusted() -> None:
    a = drawn()
    analysis = compared({"f1": a}, {"f1": moved(a, 0.3)}, of_b=gap(21))
    assert analysis.verdict is Verdict.UNTRUSTWORTHY
    assert analysis.reasons[0] == "values of f1 are missing, 21 of 200 from B: the judge was silent"
    assert (analysis.problems, analysis.notes) == ((), ())


def test_a_price_that_is_mostly_unknown_holds_no_guardrail() -> None:
    a, lost = drawn(), {"missing": {"cost": np.arange(N) < 50}}
    analysis = compared({"f1": a, "cost": COSTS}, {"f1": moved(a, 0.05), "cost": COSTS}, design(guardrails=(CHEAP,)), of_b=lost)
    assert analysis.verdict is Verdict.UNKNOWN
    cost = effect(analysis, "cost")
    assert all(map(np.isnan, (cost.a.value, cost.b.value, cost.difference.value, cost.p)))
    assert (cost.naive, cost.margin, cost.lacking) == (None, None, "the judge was silent")
    assert analysis.reasons[1] == "cost is not known: the judge was silent. Name a guardrail that can be measured"
    assert (analysis.problems, analysis.notes) == ((), ())


def test_what_to_type_without_a_price_is_told() -> None:
    a, lost = drawn(), {"missing": {"cost": np.arange(N) < 50}}
    values = {"f1": a, "cost": COSTS, "invented": np.zeros(N)}
    analysis = compared(values, {**values, "f1": moved(a, 0.05)}, design(guardrails=(CHEAP, HONEST)), of_b=lost)
    assert analysis.reasons[1].endswith("To decide without it: --guardrail invented=0.05")


CITED = Guardrail(metric="recall", margin=0.05, by_default=True)


def test_a_prompt_that_stops_citing_is_worse_though_its_words_are_better() -> None:
    a = drawn()
    analysis = compared(
        {"f1": a, "recall": np.ones(N)}, {"f1": moved(a, 0.1), "recall": moved(np.ones(N), -0.2)}, design(guardrails=(CITED,))
    )
    assert analysis.verdict is Verdict.WORSE
    assert analysis.reasons[0].startswith("its recall is lower, recall 1.000 → 0.796")


@pytest.mark.parametrize("cases_", [20, N])
def test_who_never_cites_has_no_citations_to_guard(cases_: int) -> None:
    a, none = drawn(count=cases_), np.zeros(cases_)
    told = {"f1": a, "recall": none}, {"f1": moved(a, 0.2), "recall": none}
    analysis = compared(*told, design(guardrails=(CITED,)))
    assert (analysis.verdict, effect(analysis, "recall").role) == (Verdict.BETTER, Role.OTHER)
    if cases_ < N:
        named = CITED.model_copy(update={"by_default": False})
        assert compared(*told, design(guardrails=(named,))).verdict is Verdict.UNKNOWN


def test_a_guardrail_that_nobody_named_looks_at_what_both_answered() -> None:
    """A refusal cites nothing, and cites nothing wrongly."""
    a, cited = drawn(), np.where(np.arange(N) < 15, np.nan, 1.0)
    told = {"f1": a, "recall": np.ones(N)}, {"f1": moved(a, 0.1), "recall": cited}
    assert compared(*told, design(guardrails=(CITED,))).verdict is Verdict.BETTER
    named = CITED.model_copy(update={"by_default": False})
    assert compared(*told, design(guardrails=(named,))).verdict is Verdict.UNKNOWN


def test_the_others_that_are_worse_are_corrected_together() -> None:
    a, rng = drawn(), np.random.default_rng(8)
    values = {"f1": a, "recall": rng.random(N), "exact": np.ones(N), "latency": rng.random(N)}
    analysis = compared(values, {**values, "recall": values["recall"] * 0.9, "latency": rng.random(N)})
    others = [one for one in analysis.effects if one.role is Role.OTHER]
    assert [one.q for one in others] == pytest.approx(benjamini_hochberg([one.p for one in others]))
    assert effect(analysis, "f1").q is None


def test_cases_that_nobody_has_read_are_told() -> None:
    tags = [{"review": "needed"}] * 3 + [{"review": "done"}] * 7
    tables = table({"f1": drawn(count=10)}), table({"f1": drawn(2, 10)}, side="b")
    analysis = compare(*tables, cases(10, tags=tags), METRICS, design())
    assert analysis.problems[0].startswith("3 cases still have the tag review: needed. Nobody has read")


@pytest.mark.parametrize(("count", "better"), [(30, 0.1), (60, 0.06)])
def test_the_cases_that_would_tell_are_those_that_a_plan_names(count: int, better: float) -> None:
    a = drawn(1, count)
    b = np.clip(drawn(2, count) + better, 0, 1)
    one = effect(compared({"f1": a}, {"f1": b}, design(margin=0.001)), "f1")
    pilot = {"f1": Pairs.of(a, b, bounded=True)}
    told = plan([F1], design(margin=0.001), cases=count, pilot=pilot, effect=abs(one.difference.value))
    assert one.finding is Finding.UNKNOWN
    assert one.needed == told.metrics[0].needed
    assert plan([F1], design(), cases=one.needed or 0, pilot=pilot, effect=abs(one.difference.value)).metrics[
        0
    ].power == pytest.approx(0.8, abs=0.02)


def test_equals_are_told_apart_from_their_margin_as_often_as_planned() -> None:
    """Drawn anew with as many cases as were named, they are equivalent, or held, four times in five."""
    rng = np.random.default_rng(4)

    def drawn_(cases_: int) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
        a = rng.random(cases_) * 0.8 + 0.1
        return {"f1": a}, {"f1": np.clip(a + rng.normal(0, 0.08, cases_), 0, 1)}

    needed = [effect(compared(*drawn_(40), design(margin=0.02)), "f1").needed for _ in range(9)]
    named = int(np.median([count for count in needed if count]))
    found = [effect(compared(*drawn_(named), design(margin=0.02)), "f1").finding for _ in range(40)]
    assert found.count(Finding.EQUIVALENT) >= 28


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"f1": [0.5]}, {"f1": [0.7]}),
        ({"f1": [np.nan] * 9}, {"f1": [np.nan] * 9}),
        ({"f1": [np.nan] * 5 + [1.0] * 4}, {"f1": [1.0] * 5 + [np.nan] * 4}),
        ({"exact": [1] * 9}, {"exact": [1] * 9}),
    ],
    ids=["one case", "nothing applies", "never on both sides", "the metric is not there"],
)
def test_nothing_to_compare_is_not_trustworthy(a: Mapping[str, ArrayLike], b: Mapping[str, ArrayLike]) -> None:
    analysis = compared(a, b)
    assert analysis.verdict is Verdict.UNTRUSTWORTHY
    assert analysis.reasons == ("fewer than two independent cases have f1 on both sides",)


def test_disjoint_cases_are_not_trustworthy() -> None:
    a, b = table({"f1": drawn(0, 5)}), table({"f1": drawn(0, 5)}, ids=[f"c{i}" for i in range(5, 10)])
    analysis = compare(a, b, cases(10), METRICS, design())
    assert analysis.verdict is Verdict.UNTRUSTWORTHY
    assert len(analysis.problems) == 3
    assert analysis.problems[0] == "5 cases asked of A only and left out: c0, c1, c2, ..."
    assert (analysis.effects, analysis.tags, analysis.flips.flipped, analysis.variances, analysis.quantiles) == (
        (),
        (),
        (),
        (),
        (),
    )


def test_no_cases_at_all_are_not_trustworthy() -> None:
    empty = table({"f1": np.empty((0, 1))}, ids=[])
    assert compare(empty, empty, {}, METRICS, design(cluster_by="document")).verdict is Verdict.UNTRUSTWORTHY


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (design("f2"), "there is no metric f2: there are f1, exact, cost"),
        (design(guardrails=(Guardrail(metric="price", margin=0),)), "there is no metric price"),
        (Design(primary=()), "no primary metric is set"),
        (design(cluster_by="topic"), "no case has the tag topic"),
    ],
)
def test_a_design_that_cannot_be_is_refused(plan: Design, message: str) -> None:
    with pytest.raises(GroundwireError, match=message):
        compared({"f1": [0, 1]}, {"f1": [0, 1]}, plan)


def test_clusters_are_the_independent_ones() -> None:
    rng = np.random.default_rng(11)
    a = rng.random(120)
    by_document = np.repeat(rng.normal(0.03, 0.1, 12), 10)
    b = np.clip(a + by_document + rng.normal(0, 0.02, 120), 0, 1)
    gold = [(f"d{i // 10}",) for i in range(120)]
    plain, clustered = (
        compare(table({"f1": a}), table({"f1": b}), cases(120, gold_ids=gold), METRICS, design(cluster_by=by))
        for by in (None, "document")
    )
    wide, narrow = (effect(one, "f1").difference for one in (clustered, plain))
    assert (effect(clustered, "f1").units, effect(clustered, "f1").pairs) == (12, 120)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)
    assert effect(clustered, "f1").p > effect(plain, "f1").p


def test_few_clusters_are_told() -> None:
    tags = [{"team": f"{i % 3}"} for i in range(30)]
    analysis = compare(
        table({"f1": drawn(0, 30)}), table({"f1": drawn(1, 30)}), cases(30, tags=tags), METRICS, design(cluster_by="team")
    )
    assert analysis.problems == ("the cases form only 3 independent clusters, and intervals from so few are rough",)


def test_quantiles_of_times_where_there_are_enough_cases() -> None:
    rng = np.random.default_rng(2)
    a = rng.lognormal(0, 0.3, (90, 2))
    found = compared({"f1": a / 9, "latency": a}, {"f1": a / 9, "latency": a + 1}).quantiles
    assert [one.quantile for one in found] == [0.5, 0.95]
    for one in found:
        assert one.a == pytest.approx(np.quantile(a, one.quantile))
        assert one.difference.value == pytest.approx(1)
        assert one.difference.low == pytest.approx(1)


def test_quantiles_of_clustered_cases_are_less_certain() -> None:
    rng = np.random.default_rng(3)
    slow = np.repeat(rng.lognormal(0, 0.5, 80), 5)
    a = table({"f1": rng.random(400), "latency": slow + rng.random(400) / 10})
    b = table({"f1": rng.random(400), "latency": np.repeat(rng.lognormal(0, 0.5, 80), 5)})
    asked = cases(400, tags=[{"page": str(i // 5)} for i in range(400)])
    plain, clustered = (compare(a, b, asked, METRICS, design(cluster_by=by)).quantiles[0].difference for by in (None, "page"))
    assert clustered.high - clustered.low > 1.5 * (plain.high - plain.low)


def test_a_tag_that_got_worse_is_found_among_many() -> None:
    rng = np.random.default_rng(4)
    a = rng.random(400) * 0.4 + 0.3
    names = [f"t{i % 20}" for i in range(400)]
    b = a + rng.normal(0, 0.05, 400) + 0.03 - 0.15 * (np.array(names) == "t7")
    tagged = cases(400, tags=[{"topic": name, "rare": str(i // 4)} for i, name in enumerate(names)])
    found = compare(table({"f1": a}), table({"f1": b}), tagged, METRICS, design()).tags
    assert len(found) == 20
    assert (found[0].tag, found[0].value, found[0].pairs, found[0].finding) == ("topic", "t7", 20, Finding.WORSE)
    assert Finding.WORSE not in [one.finding for one in found[1:]]
    assert sorted(one.q for one in found) == pytest.approx(benjamini_hochberg(sorted(one.p for one in found)))


def test_where_the_variance_comes_from() -> None:
    rng = np.random.default_rng(6)
    recall = rng.integers(0, 2, (300, 1)) * np.ones((300, 2))
    a = rng.random((300, 2)) * 0.2 + 0.3
    b = rng.random((300, 2)) * 0.2 + 0.3 + 0.4 * (1 - recall)
    (split,) = compared({"f1": a, "recall": recall}, {"f1": b, "recall": np.ones((300, 2))}).variances
    total = 0.04 + 2 * 0.2**2 / 12 / 2
    assert split.retrieval == pytest.approx(0.04 / total, abs=0.03)
    assert split.generation == pytest.approx(2 * 0.2**2 / 12 / 2 / total, abs=0.03)
    assert split.cases == pytest.approx(0, abs=0.02)


def test_the_cases_that_flipped() -> None:
    analysis = compared({"f1": [0.1] * 10 + [0.9] * 3}, {"f1": [0.1] * 8 + [0.8, 0.9] + [0.9, 0.9, 0.2]})
    assert [(one.case.id, one.gained) for one in analysis.flips.flipped] == [("c9", True), ("c8", True), ("c12", False)]


def test_the_order_of_rows_is_nothing() -> None:
    a, b = drawn(0, 40), drawn(1, 40)
    shuffled = np.random.default_rng(0).permutation(40)
    straight = compare(table({"f1": a}), table({"f1": b}), cases(40), METRICS, design())
    mixed = compare(table({"f1": a}), table({"f1": b[shuffled]}, ids=[f"c{i}" for i in shuffled]), cases(40), METRICS, design())
    assert mixed.effects == straight.effects


def test_comparisons_of_equals_are_found_different_no_more_often_than_said() -> None:
    """1,000 of two primary metrics and two guardrails whose margins are small; the bound is the 99.9 % one of a binomial of 5 %."""
    plan = design("f1", "exact", guardrails=(Guardrail(metric="cost", margin=0.02, relative=True), HONEST))
    wrong = 0
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        hard = rng.random((30, 1))
        sides = [
            {
                "f1": np.clip(hard[:, 0] + rng.normal(0, 0.2, 30), 0, 1),
                "exact": rng.random(30) < hard[:, 0],
                "cost": rng.lognormal(-7, 0.3, 30),
                "invented": rng.random(30) < 0.3,
            }
            for _ in range(2)
        ]
        wrong += compared(sides[0], sides[1], plan).verdict in (Verdict.BETTER, Verdict.WORSE)
    assert wrong <= 73
