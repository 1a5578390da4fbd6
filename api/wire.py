"""OpenAI's chat completions on the wire, as far as they are spoken here.

Knows shapes, and which requests cannot be answered as they are asked. Knows nothing of who answers.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import to_json

from api.chat import LONGEST, Answer, Name, Where
from api.problem import Problem
from rag.errors import GroundwireError
from rag.llms.base import Purpose
from rag.pipeline import Delta, Done, Event
from rag.text.characters import Sound
from rag.trace import Outcome, Trace
from rag.types import Message

ANSWERED = (Outcome.ANSWERED, Outcome.REFUSED)


class Part(BaseModel):
    """A piece of a message's content; only text can be asked."""

    type: Literal["text", "refusal"] = "text"
    text: Sound = ""
    refusal: Sound = ""
    """Of an assistant who declined."""


class ChatMessage(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Sound | list[Part] | None = None
    """Null where an assistant's message called tools."""

    @field_validator("content", mode="before")
    @classmethod
    def _only_text(cls, content: Any) -> Any:
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind not in ("text", "refusal"):
                raise ValueError(f"only text can be asked, not {kind[:40]}")
        return content

    @property
    def text(self) -> str:
        """The content as one string."""
        return self.content if isinstance(self.content, str) else "".join(part.text + part.refusal for part in self.content or ())


class StreamOptions(BaseModel):
    """What a stream carries besides text."""

    include_usage: bool | None = None


class Completing(BaseModel):
    """The fields of a request that decide something here; sampling belongs to the variant, so others are accepted and unused."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {"model": "default", "messages": [{"role": "user", "content": "How long is the warranty?"}]},
                {
                    "model": "default",
                    "messages": [
                        {"role": "user", "content": "How long is the warranty?"},
                        {"role": "assistant", "content": "24 months [1]."},
                        {"role": "user", "content": "And for a kettle?"},
                    ],
                    "stream": True,
                    "stream_options": {"include_usage": True},
                },
            ]
        },
    )

    model: Name
    """A variant or a rollout."""
    messages: list[ChatMessage] = Field(min_length=1)
    """The last one of the user is the question; those of the user and the assistant before it are the history."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Name | None = None
    """A name of the user or of the session: a rollout answers it by the same variant each time."""
    safety_identifier: Name | None = None
    """As `user`, which it replaces."""
    collection: Name | None = None
    """An extension: another collection than the server's own."""
    where: Where = {}
    """An extension: metadata that a passage must have."""
    n: int | None = Field(default=None, ge=1)
    tools: list[Any] | None = None
    tool_choice: Any = None
    function_call: Any = None
    response_format: Any = None
    modalities: list[Any] | None = None
    audio: Any = None
    logprobs: bool | None = None
    web_search_options: Any = None

    def require_answerable(self) -> None:
        """Raise `GroundwireError` where the answer would not be what is asked for."""
        for field, unable, offered in UNABLE:
            value = getattr(self, field)
            if value is not None and unable(value):
                raise GroundwireError(f"{field} cannot be served as it is asked", offered)

    def conversation(self) -> tuple[tuple[Message, ...], str]:
        """What was said before, and the question. Raises `GroundwireError` where there is none, or it is too long."""
        last = max((place for place, message in enumerate(self.messages) if message.role == "user"), default=None)
        question = "" if last is None else self.messages[last].text
        if not question.strip():
            raise GroundwireError("the messages ask nothing", "end them with a user message that has text")
        if len(question) > LONGEST:
            raise GroundwireError(f"the question has {len(question)} characters", f"ask in at most {LONGEST}")
        before = (message for message in self.messages[:last] if message.role in ("user", "assistant"))
        return tuple(Message(role=message.role, content=message.text) for message in before if message.text.strip()), question


UNABLE: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("n", lambda n: n > 1, "ask for one answer at a time"),
    ("tool_choice", lambda choice: choice not in ("none", "auto"), "no tools are called here: leave it out, or say none or auto"),
    ("function_call", lambda choice: choice not in ("none", "auto"), "no functions are called here: leave it out"),
    ("response_format", lambda shape: shape != {"type": "text"}, "answers are text with citations: leave it out"),
    ("modalities", lambda kinds: kinds != ["text"], "answers are text: leave it out"),
    ("audio", lambda _: True, "answers are text: leave it out"),
    ("logprobs", bool, "a claim's probability is in the field groundwire: leave it out"),
    ("web_search_options", lambda _: True, "answers rest on the documents: leave it out"),
)
"""A field, which of its values cannot be served, and what can be done about it."""


class Tokens(BaseModel):
    """As the provider billed them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Mapping[str, int]
    completion_tokens_details: Mapping[str, int]

    @classmethod
    def of(cls, trace: Trace) -> Self:
        """Of all calls together."""
        usage = trace.usage
        return cls(
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            total_tokens=usage.prompt + usage.completion,
            prompt_tokens_details={"cached_tokens": usage.cached},
            completion_tokens_details={"reasoning_tokens": usage.reasoning},
        )


class Said(BaseModel):
    """The answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The only one."""

    index: Literal[0] = 0
    message: Said
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class Completed(BaseModel):
    """A whole answer."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    """Seconds since 1970."""
    model: str
    """As it was asked for."""
    choices: tuple[Choice]
    usage: Tokens
    groundwire: dict[str, Any] = Field(
        json_schema_extra={"example": {"trace_id": "0199...", "outcome": "answered", "verdicts": {"supported": 1}}}
    )
    """An extension: the answer as `POST /chat` tells it, without its text and tokens."""

    @classmethod
    def of(cls, trace: Trace, model: str) -> Self:
        """Of a trace that ended well."""
        choice = Choice(message=Said(content=trace.answer), finish_reason=_finish_reason(trace))
        head = _head(trace.id, model)
        return cls(**head, choices=(choice,), usage=Tokens.of(trace), groundwire=_extension(trace))


class Fault(BaseModel):
    """What is wrong."""

    message: Sound
    type: str
    param: None = None
    code: str | None = None
    trace_id: str | None = None


class Failure(BaseModel):
    """A failure as the OpenAI clients read it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {"message": "the messages ask nothing: end them with a user message", "type": "invalid_request_error"}
            }
        }
    )

    error: Fault

    @classmethod
    def of(cls, error: GroundwireError) -> Self:
        """What was refused."""
        told = Problem.of(error)
        kind = _KINDS.get(told.status, "invalid_request_error" if told.status < 500 else "server_error")
        return cls(error=Fault(message=f"{told.title}: {told.detail}", type=kind, code=_CODES.get(told.status)))

    @classmethod
    def ended(cls, trace: Trace) -> Self:
        """What was accepted, and failed."""
        kind = "timeout" if trace.outcome is Outcome.TIMED_OUT else "upstream_error"
        return cls(error=Fault(message=trace.reason or "", type=kind, trace_id=trace.id))


_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


class Chunks:
    """The lines of one stream."""

    def __init__(self, model: str, *, with_usage: bool) -> None:
        self._model = model
        self._usage: dict[str, Any] = {"usage": None} if with_usage else {}
        self._head: dict[str, Any] = {}

    def write(self, event: Event) -> Iterator[bytes]:
        """What one event becomes."""
        match event:
            case Delta(text):
                yield self._chunk({"content": text})
            case Done(trace) if trace.outcome in ANSWERED:
                yield self._chunk({}, _finish_reason(trace), groundwire=_extension(trace))
                if self._usage:
                    yield _line({**self._head, "choices": [], "usage": Tokens.of(trace).model_dump()})
                yield b"data: [DONE]\n\n"
            case Done(trace):
                yield _line(Failure.ended(trace).model_dump())
            case _:
                self._head = {**_head(event.trace_id, self._model), "object": "chat.completion.chunk"}
                yield self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None, **fields: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return _line({**self._head, "choices": [choice], **self._usage, **fields})


def failed(error: GroundwireError) -> bytes:
    """The last line of a stream that fails on the way."""
    return _line(Failure.of(error).model_dump())


def _head(trace_id: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{trace_id}", "created": int(time.time()), "model": model}


def _finish_reason(trace: Trace) -> Literal["stop", "length"]:
    """`length` where the model had more to say than the variant lets it."""
    reasons = [attempt.finish_reason for attempt in trace.attempts if attempt.purpose in (Purpose.ANSWER, Purpose.RETRY)]
    return "length" if reasons and reasons[-1] == "length" else "stop"


def _extension(trace: Trace) -> dict[str, Any]:
    return Answer.of(trace).model_dump(mode="json", exclude={"answer", "usage"})


def _line(body: dict[str, Any]) -> bytes:
    return b"data: " + to_json(body) + b"\n\n"
