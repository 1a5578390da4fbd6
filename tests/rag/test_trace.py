"""What a trace adds up to, with calls that were repeated and not made."""

import pytest

from rag.llms.base import Attempt, Purpose, Timing
from rag.trace import Channel, Outcome, Trace, Versions
from rag.variant import Variant


def attempt(started: float, first: float | None, total: float, replayed: Timing | None = None) -> Attempt:
    return Attempt(purpose=Purpose.ANSWER, model="m", started_ms=started, first_token_ms=first, total_ms=total, replayed=replayed)


def trace(first: float | None, total: float | None, *attempts: Attempt) -> Trace:
    return Trace(
        id="t",
        created_at="2026-01-01T00:00:00.000+00:00",
        channel=Channel.EVALS,
        collection="guide",
        variant=Variant(name="default"),
        versions=Versions(code="c", variant="v", prompts={}, generation="g", embedder="e", validator="x"),
        question="why?",
        first_token_ms=first,
        total_ms=total,
        attempts=attempts,
    )


EARLIER = Timing(first_token_ms=300, total_ms=900)
AGAIN = Timing(first_token_ms=200, total_ms=500)


@pytest.mark.parametrize(
    ("found", "first", "latency"),
    [
        (trace(None, None), None, None),
        (trace(5, 7), 5, 7),
        (trace(110, 430, attempt(10, 100, 400)), 110, 430),
        (trace(11.5, 24, attempt(10, 1, 2, EARLIER)), 11.5 + 299, 24 + 898),
        (trace(20, 24, attempt(10, 1, 2, EARLIER)), 20 + 898, 24 + 898),
        (trace(11.5, 50, attempt(10, 1, 2, EARLIER), attempt(20, 1, 2, AGAIN)), 11.5 + 299, 50 + 898 + 498),
        (trace(40, 50, attempt(10, 1, 2, EARLIER), attempt(20, 1, 2, AGAIN)), 40 + 898 + 498, 50 + 898 + 498),
        (trace(340, 360, attempt(10, 1, 2, EARLIER), attempt(20, 100, 300)), 340 + 898, 360 + 898),
        (trace(None, 24, attempt(10, None, 2, Timing(first_token_ms=None, total_ms=900))), None, 24 + 898),
        (trace(20, 24, attempt(10, None, 2, Timing(first_token_ms=None, total_ms=900))), 20 + 898, 24 + 898),
    ],
    ids=[
        "never ended",
        "no call",
        "a call that was made",
        "repeated, shown as it came",
        "repeated, shown when it was whole",
        "repeated twice, the first one shown as it came",
        "repeated twice, shown when both were whole",
        "the first one repeated, the second one made",
        "repeated, without text",
        "repeated, without text of its own",
    ],
)
def test_a_repeated_call_counts_with_what_it_took(found: Trace, first: float | None, latency: float | None) -> None:
    assert found.first_text_ms == first
    assert found.latency_ms == latency


def test_an_answer_and_a_refusal_are_the_outcomes_that_succeeded() -> None:
    assert [outcome for outcome in Outcome if outcome.succeeded] == [Outcome.ANSWERED, Outcome.REFUSED]
    ended = {outcome: trace(None, 7).model_copy(update={"outcome": outcome}).succeeded for outcome in (None, *Outcome)}
    assert [outcome for outcome, succeeded in ended.items() if succeeded] == [Outcome.ANSWERED, Outcome.REFUSED]
