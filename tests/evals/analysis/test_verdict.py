"""Findings amount to a verdict, and the sentences say why."""

import pytest

from evals.analysis.verdict import judge
from evals.comparison import Design, Effect, Estimate, Finding, Guardrail, Role, Verdict
from evals.scorers.base import Metric
from tests.evals.analysis.tables import metric

F1, EXACT, COST = metric("f1"), metric("exact", "binary"), metric("cost", "dollars", "lower")
PLAN = Design(primary=("f1", "exact"), guardrails=(Guardrail(metric="cost", margin=0.001),))


def effect(
    of: Metric, finding: Finding, difference: tuple[float, float, float] = (0.05, 0.01, 0.09), **changes: object
) -> Effect:
    value, low, high = difference
    role = Role.GUARDRAIL if of is COST else Role.PRIMARY
    side = Estimate(value=0.4, low=0.3, high=0.5, method="by hand")
    return Effect(
        metric=of,
        role=role,
        pairs=100,
        units=100,
        a=side,
        b=side.model_copy(update={"value": 0.4 + value}),
        difference=Estimate(value=value, low=low, high=high, method="by hand"),
        p=0.004,
        p_adjusted=0.008 if role is Role.PRIMARY else None,
        test="by hand",
        margin=0.001 if of is COST else 0.03,
        finding=finding,
    ).model_copy(update=changes)


@pytest.mark.parametrize(
    ("f1", "exact", "cost", "verdict"),
    [
        (Finding.BETTER, Finding.BETTER, Finding.HELD, Verdict.BETTER),
        (Finding.BETTER, Finding.UNKNOWN, Finding.HELD, Verdict.BETTER),
        (Finding.BETTER, Finding.EQUIVALENT, Finding.UNKNOWN, Verdict.UNKNOWN),
        (Finding.BETTER, Finding.WORSE, Finding.HELD, Verdict.WORSE),
        (Finding.BETTER, Finding.BETTER, Finding.WORSE, Verdict.WORSE),
        (Finding.EQUIVALENT, Finding.EQUIVALENT, Finding.HELD, Verdict.EQUIVALENT),
        (Finding.EQUIVALENT, Finding.EQUIVALENT, Finding.UNKNOWN, Verdict.UNKNOWN),
        (Finding.EQUIVALENT, Finding.UNKNOWN, Finding.HELD, Verdict.UNKNOWN),
        (Finding.EQUIVALENT, None, Finding.HELD, Verdict.UNKNOWN),
        (Finding.BETTER, Finding.BETTER, None, Verdict.UNKNOWN),
        (Finding.UNKNOWN, Finding.UNKNOWN, Finding.WORSE, Verdict.WORSE),
    ],
)
def test_findings_amount_to_a_verdict(f1: Finding, exact: Finding | None, cost: Finding | None, verdict: Verdict) -> None:
    found = [effect(of, finding) for of, finding in ((F1, f1), (EXACT, exact), (COST, cost)) if finding is not None]
    assert judge(found, PLAN)[0] is verdict


def test_what_is_not_trusted_is_not_judged() -> None:
    assert judge([effect(F1, Finding.BETTER)], PLAN, ["all failed"]) == (Verdict.UNTRUSTWORTHY, ("all failed",))


def test_what_decided_comes_first() -> None:
    found = [effect(F1, Finding.BETTER), effect(EXACT, Finding.EQUIVALENT), effect(COST, Finding.WORSE)]
    assert [reason.split()[0] for reason in judge(found, PLAN)[1]] == ["cost", "f1", "exact"]


def test_metrics_that_decide_nothing_are_not_told() -> None:
    found = [effect(F1, Finding.BETTER), effect(EXACT, Finding.WORSE, role=Role.OTHER)]
    assert len(judge(found, Design(primary=("f1",)))[1]) == 1


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (effect(F1, Finding.BETTER), "f1 0.400 -> 0.450, +0.050 [+0.010, +0.090], p .008: better"),
        (
            effect(F1, Finding.WORSE, (-0.02, -0.03, -0.01)),
            "f1 0.400 -> 0.380, -0.020 [-0.030, -0.010], p .008: worse, by less than the margin of 0.030",
        ),
        (
            effect(EXACT, Finding.EQUIVALENT, (0.0, -0.02, 0.02)),
            "exact 40.0 % -> 40.0 %, +0.0 points [-2.0, +2.0], p .008: equivalent, within 3.0 % either way",
        ),
        (
            effect(COST, Finding.HELD, (0.0002, -0.0001, 0.0005)),
            "cost $0.400 -> $0.400, +$0.000200 [-$0.000100, +$0.000500]: not worse than the +$0.00100 that are tolerated",
        ),
        (
            effect(COST, Finding.WORSE, (0.003, 0.002, 0.004)),
            "cost $0.400 -> $0.403, +$0.00300 [+$0.00200, +$0.00400]: worse than the +$0.00100 that are tolerated",
        ),
    ],
)
def test_the_sentences(told: Effect, sentence: str) -> None:
    assert judge([told], Design(primary=("f1",)))[1] == (sentence,)


@pytest.mark.parametrize(
    ("told", "needed"),
    [
        (effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), p_adjusted=0.3), "about 400 cases would settle it"),
        (effect(F1, Finding.UNKNOWN, (0.0, -0.06, 0.06), p_adjusted=1), "about 280 cases would settle it"),
        (effect(F1, Finding.UNKNOWN, (0.0299999, -30, 30), p_adjusted=0.9), "no number of cases would settle it soon"),
        (effect(F1, Finding.UNKNOWN, (0.05, 0.01, 0.09)), "about 101 cases would settle it"),
        (
            effect(COST, Finding.UNKNOWN, (0.0005, -0.0005, 0.0015)),
            "it may be worse than the +$0.00100 that are tolerated: about 400 cases would settle it",
        ),
        (
            effect(F1, Finding.UNKNOWN, missing_a=1, missing_b=2, worst_case=(-0.01, 0.06)),
            "3 missing values leave open anything from -0.010 to +0.060",
        ),
        (
            effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), p_adjusted=0.3, missing_b=1, worst_case=(0.04, 0.06)),
            "about 400 cases would settle it if the difference stays what it is, and 1 missing value leaves open anything from +0.040",
        ),
        (effect(COST, Finding.UNKNOWN, missing_b=20), "20 values are missing"),
    ],
)
def test_what_is_not_known_says_what_would_settle_it(told: Effect, needed: str) -> None:
    """1 / 2 of the width wanted needs 4 times the 100 cases; equivalence asks for 90 % only: (1.645 / 1.960 * 0.06 / 0.03)² = 2.8."""
    assert f"not known yet, {needed}" in judge([told], Design(primary=("f1",)))[1][0]


@pytest.mark.parametrize(
    ("told", "needed"),
    [
        # Two that differ the same way: by chance one time in two, and six of six one time in 32.
        (effect(F1, Finding.UNKNOWN, (0.9, -0.1, 1), p=0.5, p_adjusted=0.5, pairs=2, units=2), "about 6 cases would settle it"),
        # p = .0577 is 1.90 standard deviations, and 1.96 are wanted: (1.96 / 1.90)² = 1.07.
        (
            effect(EXACT, Finding.UNKNOWN, (0.08, 0.001, 0.17), p=0.0574, p_adjusted=0.0574),
            "the interval leaves out 0, and the test, which is stricter, finds nothing yet: about 110 cases would settle it",
        ),
        # The end at -0.002 is 0.052 from 0.05: (0.052 / 0.05)² = 1.08.
        (
            effect(F1, Finding.UNKNOWN, (0.05, -0.002, 0.06)),
            "the test finds a difference that few cases carry, and the interval still holds 0: about 110 cases would settle it",
        ),
        (
            effect(F1, Finding.UNKNOWN, (0.2, -0.1, 0.5), p=0.0625, p_adjusted=0.0625, units=5),
            "5 clusters can show no difference, however many cases they have: it takes 6",
        ),
    ],
)
def test_what_the_test_keeps_open_is_settled_by_what_it_takes(told: Effect, needed: str) -> None:
    assert f"not known yet, {needed}" in judge([told], Design(primary=("f1",)), asked=told.pairs)[1][0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alone": 90}, "90 cases to which it applies on one side only leave open anything from -0.400 to +0.500"),
        ({"torn": 1}, "1 case of which the judge said two things leaves open anything from -0.400 to +0.500"),
        (
            {"missing_a": 2, "alone": 1},
            "2 missing values and 1 case to which it applies on one side only leave open anything from -0.400 to +0.500",
        ),
    ],
)
def test_what_is_not_known_of_a_case_is_told_by_its_kind(changes: dict[str, int], said: str) -> None:
    told = effect(F1, Finding.UNKNOWN, worst_case=(-0.4, 0.5), **changes)
    assert judge([told], Design(primary=("f1",)))[1][0].endswith(f"not known yet, {said}")


def test_a_margin_that_is_a_share_is_settled_by_what_was_tested() -> None:
    """The excess of -0.0005 reaches to 0.001 in 100 cases: (0.0015 / 0.0005)² = 9 times as many leave out 0."""
    excess = Estimate(value=-0.0005, low=-0.0006, high=0.001, method="by hand")
    told = judge([effect(COST, Finding.UNKNOWN, (0.0005, 0.0004, 0.0006), excess=excess)], Design(primary=("f1",)))[1][0]
    assert "tolerated, a share of what A has, which is uncertain too: about 900 cases would settle it" in told


def test_the_cases_it_takes_are_of_the_kind_that_was_asked() -> None:
    """The metric applies to 100 of 200 cases; 400 that it applies to are among 800."""
    found = [effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15))]
    assert "about 800 cases would settle it" in judge(found, Design(primary=("f1",)), asked=200)[1][0]


def test_two_primary_metrics_need_more_cases_to_differ() -> None:
    """By (2.241 / 1.960)² for half the error each."""
    found = [effect(of, Finding.UNKNOWN, (0.05, -0.05, 0.15), p_adjusted=0.3) for of in (F1, EXACT)]
    assert "p .30 after Holm: not known yet, about 520 cases" in judge(found, PLAN)[1][1]
