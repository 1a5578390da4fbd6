"""Findings amount to a verdict, and the sentences say why."""

import pytest

from evals.analysis.verdict import DECIDE, judge
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
        needed=60 if finding is Finding.UNKNOWN else None,
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


def test_what_is_worse_is_told_first_and_what_holds_last() -> None:
    found = [effect(F1, Finding.BETTER), effect(EXACT, Finding.EQUIVALENT), effect(COST, Finding.WORSE)]
    told = judge(found, PLAN)[1]
    assert len(told) == 1
    places = [told[0].index(text) for text in ("it costs more", "it shares more words", "exact 40.0 % → 45.0 %")]
    assert places == sorted(places)


def test_metrics_that_decide_nothing_are_not_told() -> None:
    found = [effect(F1, Finding.BETTER), effect(EXACT, Finding.WORSE, role=Role.OTHER)]
    assert "exact" not in " ".join(judge(found, Design(primary=("f1",)))[1])


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        (effect(F1, Finding.BETTER), "it shares more words with the expected answers, f1 0.400 → 0.450 (+0.010 to +0.090)"),
        (
            effect(F1, Finding.WORSE, (-0.02, -0.03, -0.01)),
            "it shares fewer words with the expected answers, f1 0.400 → 0.380 (-0.030 to -0.010), though by less than the 0.030 that matter",
        ),
        (
            effect(EXACT, Finding.EQUIVALENT, (0.0, -0.02, 0.02)),
            "exact 40.0 % → 40.0 % (-2.0 to +2.0): what difference there may be is within 3.0 %, too small to matter",
        ),
        (effect(COST, Finding.HELD, (0.0002, -0.0001, 0.0005)), "cost is no worse than tolerated"),
        (
            effect(COST, Finding.WORSE, (0.003, 0.002, 0.004)),
            "it costs more, cost $400.00 → $403.00 (+$2.00 to +$4.00), where no more than $1.00 is tolerated",
        ),
        (effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15)), "f1 0.400 → 0.450 (-0.050 to +0.150) may be chance"),
        (effect(F1, Finding.UNKNOWN, (0.05, 0.01, 0.09)), "f1 0.400 → 0.450 (+0.010 to +0.090) is not certain"),
    ],
)
def test_the_sentences(told: Effect, sentence: str) -> None:
    assert judge([told], Design(primary=("f1",)))[1][0] == sentence


def test_a_margin_that_is_a_share_is_told_as_one() -> None:
    plan = Design(primary=("f1",), guardrails=(Guardrail(metric="cost", margin=0.1, relative=True),))
    told = judge([effect(F1, Finding.BETTER), effect(COST, Finding.UNKNOWN)], plan)[1]
    assert told[0].endswith("Whether cost is no worse than tolerated is open")
    assert told[1].startswith("cost: it may be worse by more than the 10 % that is tolerated; ")


def open_still(told: Effect, asked: int | None = None) -> str:
    """What is said of one metric that is not known yet."""
    return judge([told], Design(primary=("f1",)), asked=asked)[1][1]


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), p_adjusted=0.3, needed=404),
            "f1: if it stays like this, about 400 cases would tell, 4 times in 5",
        ),
        (
            effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), p_adjusted=0.3, needed=101),
            "f1: if it stays like this, about 101 cases would tell, 4 times in 5",
        ),
        (
            effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), p_adjusted=0.3, needed=60),
            "f1: if it stays like this, more cases would tell",
        ),
        (
            effect(F1, Finding.UNKNOWN, (0.0, -0.2, 0.2), p_adjusted=0.9, needed=None),
            "f1: if it stays like this, even 20 times as many cases would not be enough",
        ),
        (
            effect(COST, Finding.UNKNOWN, needed=400),
            "cost: it may be worse by more than the $1.00 that is tolerated; if it stays like this, about 400",
        ),
        (
            effect(F1, Finding.UNKNOWN, missing_a=1, missing_b=2, worst_case=(-0.01, 0.06)),
            "f1: 3 missing values leave open anything from -0.010 to +0.060",
        ),
        (effect(COST, Finding.UNKNOWN, missing_b=20), "tolerated; 20 values are missing"),
        (
            effect(EXACT, Finding.UNKNOWN, (0.08, 0.001, 0.17), p=0.0574, p_adjusted=0.0574),
            "exact: the interval leaves out 0, and the test, which is stricter, finds nothing yet",
        ),
        (
            effect(F1, Finding.UNKNOWN, (0.05, -0.002, 0.06)),
            "f1: the test finds a difference that few cases carry, and the interval still holds 0",
        ),
        (
            effect(F1, Finding.UNKNOWN, (0.2, -0.1, 0.5), p=0.0625, p_adjusted=0.0625, units=5),
            "f1: 5 clusters can show no difference, however many cases they have: it takes 6",
        ),
    ],
)
def test_what_is_not_known_says_what_would_settle_it(told: Effect, said: str) -> None:
    assert said in open_still(told)


def test_what_keeps_it_open_is_told_whole() -> None:
    told = effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), p_adjusted=0.3, missing_b=1, worst_case=(0.04, 0.06), needed=400)
    left, cases = "1 missing value leaves open anything from +0.040 to +0.060", "about 400 cases would tell, 4 times in 5"
    assert open_still(told) == f"f1: {left}; if it stays like this, {cases}"


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
    assert said in open_still(effect(F1, Finding.UNKNOWN, worst_case=(-0.4, 0.5), **changes))


def test_the_cases_it_takes_are_of_the_kind_that_was_asked() -> None:
    """The metric applies to 100 of 200 cases; 400 that it applies to are among 800."""
    assert "about 800 cases would tell" in open_still(effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), needed=400), asked=200)


def test_who_asks_more_is_told_to_decide_first() -> None:
    known, more = effect(F1, Finding.BETTER), effect(F1, Finding.UNKNOWN, (0.05, -0.05, 0.15), needed=400)
    assert judge([more], Design(primary=("f1",)))[1][-1] == DECIDE
    assert DECIDE not in judge([known], Design(primary=("f1",)))[1]
