"""`POST /chat`, the native endpoint: everything a trace says, as JSON or as server-sent events.

Knows the endpoint's request and response. Knows nothing of how a question is answered.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import BaseModel, ConfigDict, Field

from api.disconnect import unless_disconnected
from api.problem import CLIENT_CLOSED_REQUEST, STATUS, Problem
from rag.errors import GroundwireError
from rag.llms.base import Usage
from rag.pipeline import Delta, Done, Event, Pipeline, Retrieved
from rag.runtime import Runtime
from rag.trace import Channel, Outcome, Trace
from rag.types import Claim, Passage, Scalar

router = APIRouter(tags=["chat"])


class Question(BaseModel):
    """What is asked, of which documents."""

    model_config = ConfigDict(extra="forbid")

    question: str = Field(min_length=1, max_length=20_000)
    collection: str | None = None
    """The server's own, where it is left out."""
    variant: str | None = None
    """The server's own, where it is left out."""
    where: Mapping[str, Scalar | list[Scalar]] = Field(default={}, max_length=32)
    """Metadata that a passage must have."""
    stream: bool = False


class Answer(BaseModel):
    """The part of a trace that readers need; the whole of it is in the ledger under `trace_id`."""

    trace_id: str
    outcome: Outcome
    reason: str | None
    answer: str
    claims: tuple[Claim, ...]
    passages: tuple[Passage, ...]
    variant: str
    model: str | None
    """What answered; null where no model did."""
    usage: Usage
    cost_nanodollars: int | None
    first_token_ms: float | None
    total_ms: float | None
    stages: Mapping[str, float]

    @classmethod
    def of(cls, trace: Trace) -> "Answer":
        """The trace, abridged."""
        renamed: dict[str, Any] = {"trace_id": trace.id, "variant": trace.variant.name, "model": trace.answered_by}
        return cls(**renamed, **{name: getattr(trace, name) for name in cls.model_fields.keys() - renamed.keys()})


@router.post("/chat", response_model=Answer, responses={200: {"content": {"text/event-stream": {}}}})
async def chat(question: Question, request: Request) -> Response:
    """Answer a question from the documents.

    With `stream`, the events are `retrieved` (passages), `delta` (text) and `done` (the answer as the JSON response has it), or
    `error` where the server fails on the way.
    """
    pipeline = await pipeline_for(request, question.collection, question.variant)
    if question.stream:
        events = await begun(pipeline.stream(question.question, Channel.CHAT, question.where))
        return EventSourceResponse(_lines(events))
    answering = pipeline.answer(question.question, Channel.CHAT, question.where)
    trace = await unless_disconnected(request, answering)
    if trace is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return JSONResponse(Answer.of(trace).model_dump(mode="json"), STATUS[trace.outcome or Outcome.FAILED])


async def pipeline_for(request: Request, collection: str | None, variant: str | None) -> Pipeline:
    """The pipeline that a request asks for, by the server's own names where it names none."""
    state = request.app.state
    runtime: Runtime = state.runtime
    return await runtime.pipeline(runtime.variant(variant or state.variant), collection or state.collection)


async def begun(events: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
    """The same events, the first of which has happened: what is refused before it still has a status of its own."""
    first = await anext(events)

    async def all_events() -> AsyncGenerator[Event, None]:
        async with aclosing(events):
            yield first
            async for event in events:
                yield event

    return all_events()


async def _lines(events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    try:
        async with aclosing(events):
            async for event in events:
                yield format_sse_event(**_sse(event))
    except GroundwireError as error:
        yield format_sse_event(event="error", data_str=Problem.of(error).model_dump_json())


def _sse(event: Event) -> dict[str, Any]:
    match event:
        case Retrieved(trace_id, passages):
            dumped = ",".join(passage.model_dump_json() for passage in passages)
            return {"event": "retrieved", "data_str": f'{{"trace_id":"{trace_id}","passages":[{dumped}]}}'}
        case Delta(text):
            return {"event": "delta", "data_str": _Text(text=text).model_dump_json()}
        case Done(trace):
            return {"event": "done", "data_str": Answer.of(trace).model_dump_json()}


class _Text(BaseModel):
    text: str
