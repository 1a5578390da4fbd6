"""Time in seconds, money in dollars, and nothing made up."""

import pytest

from evals.scorers.base import Missing
from evals.scorers.resources import Resources
from rag.llms.base import Timing
from rag.trace import Outcome
from tests.evals.scorers.examples import answered, attempt, case, failed, refused

RESOURCES = Resources()


def test_units() -> None:
    trace = answered("Nine.", attempts=(attempt(), attempt()), first_token_ms=60.0, total_ms=820.0)
    assert RESOURCES.score(trace, case()) == {
        "latency": 0.82,
        "first_token": 0.06,
        "prompt_tokens": 240,
        "completion_tokens": 60,
        "cost": 0.003,
        "failed": 0,
    }


def test_a_refusal_without_a_call_costs_nothing() -> None:
    scores = RESOURCES.score(refused(first_token_ms=5.0, total_ms=5.0), case())
    assert (scores["cost"], scores["prompt_tokens"], scores["completion_tokens"], scores["failed"]) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "the price of openai/gpt is not known"),
        ({"error": "overloaded"}, "what a failed call of openai/gpt cost is not known"),
    ],
)
def test_an_unknown_price_is_not_zero(fields: dict[str, object], reason: str) -> None:
    trace = answered("Nine.", attempts=(attempt(), attempt(cost_nanodollars=None, **fields)), total_ms=1.0)
    assert RESOURCES.score(trace, case())["cost"] == Missing(reason=reason)


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.DISCONNECTED])
def test_a_failed_request_counts_with_what_was_spent_on_it(outcome: Outcome) -> None:
    scores = RESOURCES.score(failed(outcome, attempts=(attempt(),), total_ms=30_000.0), case())
    assert (scores["failed"], scores["latency"], scores["cost"]) == (1, 30, 0.0015)
    assert "first_token" not in scores


def test_a_request_that_never_ended_has_no_latency() -> None:
    scores = RESOURCES.score(failed(None), case())
    assert scores["latency"] == Missing(reason="the request never ended")
    assert scores["failed"] == 1


def test_a_replayed_call_counts_with_the_time_it_took() -> None:
    replayed = attempt(first_token_ms=0.5, total_ms=1.0, replayed=Timing(first_token_ms=300.0, total_ms=1001.0))
    scores = RESOURCES.score(answered("Nine.", attempts=(replayed,), first_token_ms=10.6, total_ms=20.0), case())
    assert scores["latency"] == pytest.approx(1.02)
    assert scores["first_token"] == pytest.approx(0.3101)
