"""What guardrails measure: every outcome has its value, and a request that still runs has none until it counts as abandoned."""

import math

import pytest

from api.rollouts.measures import CAP_FACTOR, LEAST_CAP, MEASURES, METRICS, control_cap, policy_cap
from api.rollouts.policy import Margin, Relative
from api.rollouts.requests import GIVEN_UP, Request
from api.rollouts.state import Arm
from rag.trace import Outcome
from tests.api.rollouts.traffic import START


def request(outcome: Outcome | None, *, cost: int | None = 3 * 10**6) -> Request:
    """One that took 1.5 s, and has two claims that its passages do not support."""
    return Request("0001", START, Arm.CANDIDATE, outcome, 2, None if outcome is None else 1_500, cost, None, None)


@pytest.mark.parametrize(
    ("outcome", "error", "hallucination"),
    [
        (Outcome.ANSWERED, 0.0, 1.0),
        (Outcome.REFUSED, 0.0, 1.0),
        (Outcome.FAILED, 1.0, math.nan),
        (Outcome.TIMED_OUT, 1.0, math.nan),
        (Outcome.DISCONNECTED, math.nan, math.nan),
    ],
)
def test_every_outcome_has_its_values(outcome: Outcome, error: float, hallucination: float) -> None:
    found = {name: measure(request(outcome), 0.0) for name, measure in MEASURES.items()}
    assert found == pytest.approx({"error": error, "hallucination": hallucination, "latency": 1.5, "cost": 0.003}, nan_ok=True)


def test_a_running_request_has_no_value_until_it_is_given_up() -> None:
    running = request(None, cost=None)
    assert [measure(running, GIVEN_UP) for measure in MEASURES.values()] == [None] * 4
    abandoned = {name: measure(running, GIVEN_UP + 1) for name, measure in MEASURES.items()}
    assert abandoned == pytest.approx(
        {"error": 1.0, "hallucination": math.nan, "latency": math.inf, "cost": math.nan}, nan_ok=True
    )


def test_an_unknown_price_is_no_cost_of_zero() -> None:
    assert math.isnan(MEASURES["cost"](request(Outcome.ANSWERED, cost=None), 0.0) or 0.0)


def test_caps_are_in_the_metrics_unit() -> None:
    assert policy_cap("error", Margin(margin=0.1)) == 1.0
    assert policy_cap("latency", Relative(margin=0.1, cap=5_000)) == 5.0
    assert policy_cap("cost", Relative(margin=0.1, cap=0.02)) == 0.02
    assert policy_cap("cost", Relative(margin=0.1)) is None
    assert (control_cap(2.0), control_cap(0.0)) == (2.0 * CAP_FACTOR, LEAST_CAP)


def test_each_measure_has_a_metric() -> None:
    assert list(MEASURES) == list(METRICS) == [metric.name for metric in METRICS.values()]
