"""`POST /v1/chat/completions`: the OpenAI wire format, so that every chat client works.

Knows that format and where ours goes in it: `model` names a variant, `groundwire` carries trace, passages and claims.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from api.chat import Answer, begun, pipeline_for
from api.disconnect import unless_disconnected
from api.problem import CLIENT_CLOSED_REQUEST, STATUS, Problem
from rag import variant as variants
from rag.errors import GroundwireError
from rag.pipeline import Delta, Done, Event
from rag.runtime import Runtime
from rag.trace import Channel, Outcome, Trace

router = APIRouter(prefix="/v1", tags=["openai"])


class Part(BaseModel):
    """A piece of a message's content; only text can be asked."""

    type: Literal["text"]
    text: str


class ChatMessage(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None
    """Null where an assistant's message called tools."""

    @property
    def text(self) -> str:
        """The content as one string."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content or ())


class StreamOptions(BaseModel):
    """What a stream carries besides text."""

    include_usage: bool = False


class ChatCompletion(BaseModel):
    """The fields of the request that decide something here; sampling belongs to the variant, so others are accepted and unused."""

    model_config = ConfigDict(extra="ignore")

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    collection: str | None = None
    """An extension: another collection than the server's own."""


@router.get("/models")
async def models(request: Request) -> dict[str, Any]:
    """The variants that can be asked for."""
    runtime: Runtime = request.app.state.runtime
    names = variants.names(runtime.settings.variants)
    return {"object": "list", "data": [{"id": name, "object": "model", "created": 0, "owned_by": "groundwire"} for name in names]}


@router.post("/chat/completions")
async def complete(completion: ChatCompletion, request: Request) -> Response:
    """Answer the last user message from the documents."""
    question = next((message.text for message in reversed(completion.messages) if message.role == "user"), "")
    if not question.strip():
        raise GroundwireError("the messages ask nothing", "end them with a user message that has text")
    pipeline = await pipeline_for(request, completion.collection, completion.model)
    if completion.stream:
        usage = bool(completion.stream_options and completion.stream_options.include_usage)
        events = await begun(pipeline.stream(question, Channel.OPENAI))
        return EventSourceResponse(_chunks(events, completion.model, usage))
    trace = await unless_disconnected(request, pipeline.answer(question, Channel.OPENAI))
    if trace is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if trace.outcome not in (Outcome.ANSWERED, Outcome.REFUSED):
        return JSONResponse(_error(trace), STATUS[trace.outcome or Outcome.FAILED])
    message = {"role": "assistant", "content": trace.answer, "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    body = {**_head(trace.id, trace.variant.name, "chat.completion"), "choices": [choice], "usage": _usage(trace)}
    return JSONResponse({**body, "groundwire": _extension(trace)})


def failure(error: GroundwireError) -> JSONResponse:
    """A failure as the OpenAI clients read it."""
    told = Problem.of(error)
    return JSONResponse(_failure(told), told.status)


def _failure(told: Problem) -> dict[str, Any]:
    kind = "invalid_request_error" if told.status < 500 else "server_error"
    return {"error": {"message": f"{told.title}: {told.detail}", "type": kind, "param": None, "code": None}}


async def _chunks(events: AsyncGenerator[Event, None], model: str, with_usage: bool) -> AsyncIterator[bytes]:
    try:
        async with aclosing(events):
            async for line in _chunk_lines(events, model, with_usage):
                yield line
    except GroundwireError as error:
        yield _line(_failure(Problem.of(error)))


async def _chunk_lines(events: AsyncGenerator[Event, None], model: str, with_usage: bool) -> AsyncIterator[bytes]:
    head: dict[str, Any] = {}
    async for event in events:
        match event:
            case Delta(text):
                yield _line({**head, "choices": [_choice({"content": text})]})
            case Done(trace) if trace.outcome in (Outcome.ANSWERED, Outcome.REFUSED):
                yield _line({**head, "choices": [_choice({}, "stop")], "groundwire": _extension(trace)})
                if with_usage:
                    yield _line({**head, "choices": [], "usage": _usage(trace)})
                yield b"data: [DONE]\n\n"
            case Done(trace):
                yield _line(_error(trace))
            case _:
                head = _head(event.trace_id, model, "chat.completion.chunk")
                yield _line({**head, "choices": [_choice({"role": "assistant", "content": ""})]})


def _head(trace_id: str, model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{trace_id}", "object": kind, "created": int(time.time()), "model": model}


def _choice(delta: dict[str, str], finish_reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}


def _usage(trace: Trace) -> dict[str, Any]:
    usage = trace.usage
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _extension(trace: Trace) -> dict[str, Any]:
    return Answer.of(trace).model_dump(mode="json", exclude={"answer", "usage"})


def _error(trace: Trace) -> dict[str, Any]:
    kind = "timeout" if trace.outcome is Outcome.TIMED_OUT else "upstream_error"
    return {"error": {"message": trace.reason, "type": kind, "param": None, "code": None, "trace_id": trace.id}}


_JSON = TypeAdapter(dict[str, Any])


def _line(body: dict[str, Any]) -> bytes:
    return b"data: " + _JSON.dump_json(body) + b"\n\n"
