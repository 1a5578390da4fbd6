"""The trace from which the examples in the OpenAPI document are made, by the code that makes real responses.

Knows one trace. Knows no endpoint.
"""

from typing import Any

from pydantic import BaseModel

from rag.llms.base import Attempt, Purpose, Usage
from rag.trace import Channel, Outcome, Trace, Versions
from rag.types import Claim, Evidence, Message, Passage, Verdict
from rag.variant import Model, Variant

ANSWER = "Kettles are covered for 24 months [1]."
PASSAGE = "Kettles are covered for 24 months."

TRACE = Trace(
    id="01997e2b-7c1d-7a52-9f0e-6d2f5b8c4a10",
    created_at="2025-09-25T00:00:03.101+00:00",
    channel=Channel.CHAT,
    collection="guide",
    variant=Variant(name="default", llm=Model(model="openai/gpt-4.1-mini")),
    versions=Versions(
        code="1.0.0",
        variant="5f1c...",
        prompts={"answer@2": "9c0e..."},
        generation="20250925T",
        embedder="minilm",
        validator="lexical",
    ),
    question="How long is the warranty on a kettle?",
    relevance=0.83,
    passages=(
        Passage(
            number=1,
            chunk_id="4bd1",
            document_id="warranty.md",
            source="warranty.md",
            title="Warranty",
            text=PASSAGE,
            start=0,
            end=len(PASSAGE),
            score=0.83,
        ),
    ),
    messages=(Message(role="user", content="How long is the warranty on a kettle?"),),
    attempts=(
        Attempt(
            purpose=Purpose.ANSWER,
            model="openai/gpt-4.1-mini",
            answered_by="gpt-4.1-mini-2025-04-14",
            started_ms=21.4,
            first_token_ms=310.2,
            total_ms=402.9,
            usage=Usage(prompt=94, completion=13),
            cost_nanodollars=58_400,
            finish_reason="stop",
        ),
    ),
    draft=ANSWER,
    answer=ANSWER,
    claims=(
        Claim(
            text=ANSWER,
            start=0,
            end=len(ANSWER),
            verdict=Verdict.SUPPORTED,
            score=1.0,
            probability=0.97,
            evidence=Evidence(passage=1, start=0, end=len(PASSAGE), quote=PASSAGE),
            reason="passage 1 says so",
            citations=(1,),
        ),
    ),
    released="unchanged",
    outcome=Outcome.ANSWERED,
    stages={"embed": 3.1, "retrieve": 4.0, "generate": 402.9, "validate": 2.2},
    first_token_ms=331.6,
    total_ms=428.0,
)


def example(body: BaseModel) -> dict[str, Any]:
    """The content of a successful response, for OpenAPI."""
    return {"application/json": {"example": body.model_dump(mode="json")}}
