"""Findings follow their roles: tests for what is primary, margins for guardrails, doubt where values are missing."""

import numpy as np
import pytest
from numpy.typing import ArrayLike

from evals.analysis.effects import Measured, average, effects, gain, measured
from evals.analysis.pairing import Sides
from evals.comparison import Design, Finding, Guardrail, Role
from evals.scorers.base import Metric
from evals.scores import Column, FloatArray
from tests.evals.analysis.tables import metric

COST = metric("cost", "dollars", "lower")
PLAN = Design(primary=("f1",))


def columns(of: Metric, a: FloatArray, b: FloatArray) -> Measured:
    one = measured(Sides(of, known(a), known(b)), None)
    assert one is not None
    return one


def known(values: ArrayLike) -> Column:
    column = np.asarray(values, dtype=float)[:, None]
    return Column(column, np.zeros(column.shape, dtype=bool))


def guarded(of: Metric, a: FloatArray, b: FloatArray, *guardrails: Guardrail) -> Finding:
    plan = PLAN.model_copy(update={"guardrails": guardrails})
    return effects([columns(of, a, b)], plan, {})[0].finding


@pytest.fixture
def costs() -> FloatArray:
    return np.random.default_rng(0).lognormal(-7, 0.3, 400)


def test_primary_metrics_come_first_then_guardrails() -> None:
    values = np.random.default_rng(0).random(20)
    plan = Design(primary=("f1",), guardrails=(Guardrail(metric="ndcg", margin=0.1),))
    found = effects([columns(metric(name), values, values[::-1]) for name in ("recall", "ndcg", "f1")], plan, {})
    assert [(one.metric.name, one.role) for one in found] == [
        ("f1", Role.PRIMARY),
        ("ndcg", Role.GUARDRAIL),
        ("recall", Role.OTHER),
    ]


@pytest.mark.parametrize(
    ("factor", "finding"),
    [(1.0, Finding.HELD), (1.09, Finding.HELD), (1.1, Finding.HELD), (1.2, Finding.WORSE), (0.5, Finding.HELD)],
)
def test_a_relative_margin_is_a_share_of_a(costs: FloatArray, factor: float, finding: Finding) -> None:
    """Where B is exactly that multiple of A, the mean of A is as unknown as that of B, and yet nothing is in doubt."""
    assert guarded(COST, costs, costs * factor, Guardrail(metric="cost", margin=0.1, relative=True)) is finding


def test_a_guardrail_where_more_is_better_is_broken_by_less() -> None:
    a = np.random.default_rng(1).random(400) * 0.5 + 0.4
    recall, guardrail = metric("recall"), Guardrail(metric="recall", margin=0.1, relative=True)
    found = [guarded(recall, a, a * factor, guardrail) for factor in (1.0, 0.95, 0.8)]
    assert found == [Finding.HELD, Finding.HELD, Finding.WORSE]


def test_a_relative_margin_of_a_bounded_metric_keeps_its_bounds() -> None:
    """A few cases without a fault on either side are no proof that B has at most a tenth more of them."""
    for of, value in ((metric("hallucination", "binary", "lower"), 0.0), (metric("recall"), 1.0)):
        guardrail = Guardrail(metric=of.name, margin=0.1, relative=True)
        few, many = np.full(5, value), np.full(400, value)
        assert guarded(of, few, few, guardrail) is Finding.UNKNOWN
        assert guarded(of, many, many, guardrail) is (Finding.HELD if value else Finding.UNKNOWN)


def test_a_relative_margin_beyond_the_whole_is_held() -> None:
    recall = metric("recall")
    found = guarded(recall, np.ones(5), np.linspace(0.2, 0.6, 5), Guardrail(metric="recall", margin=1.5, relative=True))
    assert found is Finding.HELD


def test_the_mean_of_one_side_is_not_below_nothing() -> None:
    """Seconds of a run whose first answer loaded a model."""
    seconds = np.array([1.6, 0.01, 0.02, 0.01, 0.015])
    assert average(metric("latency", "seconds", "lower"), seconds).low == 0


def test_a_margin_that_is_a_share_is_as_uncertain_as_what_it_is_a_share_of() -> None:
    """One slow answer on both sides: the difference is small and certain, a fifth of A's mean is not."""
    a = np.array([1.6, *np.linspace(0.01, 0.03, 11)])
    latency, plan = metric("latency", "seconds", "lower"), Guardrail(metric="latency", margin=0.2, relative=True)
    one = effects([columns(latency, a, a + 0.001)], PLAN.model_copy(update={"guardrails": (plan,)}), {})[0]
    assert one.finding is Finding.UNKNOWN
    assert one.margin is not None
    assert one.difference.high < one.margin


def test_a_margin_in_its_own_unit(costs: FloatArray) -> None:
    noisy = costs + np.random.default_rng(2).normal(0, 1e-5, 400)
    found = [guarded(COST, costs, noisy + by, Guardrail(metric="cost", margin=1e-4)) for by in (5e-5, 1e-4, 2e-4)]
    assert found == [Finding.HELD, Finding.UNKNOWN, Finding.WORSE]


def test_guardrails_share_the_error_of_a_false_alarm() -> None:
    """A loss that one guardrail alone would report is not reported by one of twenty."""
    rng = np.random.default_rng(3)
    a = rng.lognormal(0, 0.1, 100)
    noise = rng.normal(0, 1, 100)
    b = a + 0.1 * (noise - noise.mean()) / noise.std(ddof=1) + 0.0235
    alone = Guardrail(metric="cost", margin=0)
    others = [Guardrail(metric=f"other {i}", margin=0) for i in range(19)]
    assert guarded(COST, a, b, alone) is Finding.WORSE
    assert guarded(COST, a, b, alone, *others) is Finding.UNKNOWN


def test_other_metrics_are_equivalent_only_where_the_margin_has_a_meaning() -> None:
    rng = np.random.default_rng(4)
    a = rng.random(500)
    found = [effects([columns(of, a, a)], PLAN, {})[0] for of in (metric("recall"), COST)]
    assert [(one.finding, one.margin) for one in found] == [(Finding.EQUIVALENT, 0.03), (Finding.UNKNOWN, None)]


def test_one_case_is_no_evidence() -> None:
    assert measured(Sides(metric("f1"), known([1, np.nan]), known([1, 1])), None) is None


def test_one_cluster_is_no_evidence() -> None:
    sides = Sides(metric("f1"), known([1, 0]), known([0, 0]))
    assert measured(sides, np.array([4, 4])) is None
    assert measured(sides, np.array([4, 5])) is not None


def test_the_gain_looks_from_what_is_good() -> None:
    assert (gain(metric("f1"), 0.1), gain(COST, 0.1)) == (0.1, -0.1)
