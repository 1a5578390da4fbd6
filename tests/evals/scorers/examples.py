"""Traces and cases to score, made of what matters to a test."""

from collections.abc import Sequence

from evals.cases import Case
from rag.llms.base import Attempt, Purpose, Usage
from rag.trace import Channel, Outcome, Trace, Versions
from rag.types import Claim, Passage, Verdict
from rag.variant import Variant


def trace(outcome: Outcome | None, **fields: object) -> Trace:
    return Trace.model_validate(
        {
            "id": "1",
            "created_at": "2026-01-01T00:00:00.000+00:00",
            "channel": Channel.EVALS,
            "collection": "shop",
            "variant": Variant(name="default"),
            "versions": Versions(code="c", variant="v", prompts={}, generation="g", embedder="e", validator="x"),
            "question": "When is the pool open?",
            "outcome": outcome,
            **fields,
        }
    )


def answered(answer: str, **fields: object) -> Trace:
    return trace(Outcome.ANSWERED, answer=answer, **fields)


def refused(**fields: object) -> Trace:
    return trace(Outcome.REFUSED, answer="The documents do not answer this.", **fields)


def failed(outcome: Outcome | None = Outcome.FAILED, **fields: object) -> Trace:
    return trace(outcome, **fields)


def case(**fields: object) -> Case:
    return Case.model_validate({"id": "1", "question": "When is the pool open?", **fields})


def claim(verdict: Verdict, citations: Sequence[int] = (), miscited: Sequence[int] = ()) -> Claim:
    return Claim(
        text="It opens at nine.",
        start=0,
        end=17,
        verdict=verdict,
        score=0.5,
        reason="so it is",
        citations=tuple(citations),
        miscited=tuple(miscited),
    )


def passages(*document_ids: str) -> tuple[Passage, ...]:
    return tuple(
        Passage(number=number, chunk_id="c", document_id=id, source="s", title="", text="Open.", start=0, end=5, score=1.0)
        for number, id in enumerate(document_ids, 1)
    )


def attempt(**fields: object) -> Attempt:
    return Attempt.model_validate(
        {
            "purpose": Purpose.ANSWER,
            "model": "openai/gpt",
            "started_ms": 10.0,
            "first_token_ms": 50.0,
            "total_ms": 400.0,
            "usage": Usage(prompt=120, completion=30),
            "cost_nanodollars": 1_500_000,
            **fields,
        }
    )
