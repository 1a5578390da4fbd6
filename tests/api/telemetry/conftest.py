"""A request of which all is known, and can be told."""

from typing import Any

import pytest

from rag.llms.base import Attempt, Purpose, Usage
from rag.trace import Channel, Origin, Outcome, Trace, Versions
from rag.types import Claim, Message, Passage, Verdict
from rag.variant import Model, Variant

ID = "0199f3a2-7c11-7d3e-8a55-0123456789ab"
QUESTION = "How long is the warranty on a kettle?"


def claim(verdict: Verdict) -> Claim:
    return Claim(text="It is.", start=0, end=6, verdict=verdict, score=0.5, reason="as told")


@pytest.fixture
def trace() -> Trace:
    """Throttled once, then answered in 500 ms, with two claims for the reader and one withheld."""
    model = "openai/gpt-4.1-mini"
    passage: dict[str, Any] = {"document_id": "kettles.md", "source": "kettles.md", "title": "Kettles", "start": 0, "end": 6}
    return Trace(
        id=ID,
        created_at="2026-11-23T09:00:00.250+00:00",
        channel=Channel.CHAT,
        collection="shop",
        variant=Variant(name="careful", llm=Model(model=model)),
        versions=Versions(
            code="c", variant="a" * 64, prompts={"answer@2": "b"}, generation="g-1", embedder="onnx:minilm", validator="lexical"
        ),
        origin=Origin(key="key-1", unit="d1ge57", experiment="greeting", arm="candidate"),
        question=QUESTION,
        relevance=0.9,
        passages=(Passage(number=1, chunk_id="chunk-1", text="It is.", score=0.8, **passage),),
        messages=(Message(role="system", content="Be kind."), Message(role="user", content=QUESTION)),
        attempts=(
            Attempt(
                purpose=Purpose.ANSWER,
                model=model,
                started_ms=20,
                total_ms=30,
                cost_nanodollars=0,
                error=f"{model} answered 429: slow down, secret person",
                throttled=True,
            ),
            Attempt(
                purpose=Purpose.ANSWER,
                model=model,
                answered_by="gpt-4.1-mini-2025-04-14",
                started_ms=100,
                first_token_ms=50,
                total_ms=350,
                usage=Usage(prompt=50, completion=9, cached=20),
                cost_nanodollars=123_456,
                finish_reason="stop",
            ),
        ),
        draft="It is. It is not.",
        answer="It is.",
        claims=(claim(Verdict.SUPPORTED), claim(Verdict.UNCERTAIN)),
        withheld=(claim(Verdict.CONTRADICTED),),
        released="quoted",
        outcome=Outcome.ANSWERED,
        stages={"embed": 4.0, "retrieve": 3.0, "log": 1.0, "pack": 2.0, "generate": 430.0, "validate": 40.0},
        first_token_ms=460,
        total_ms=500,
    )
