"""The types of OpenAI's chat completions API: request, response, stream and error.

Knows their fields, and which requests are not supported. Knows nothing of how an answer is made.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import to_json

from api.chat import LONGEST, ChatResponse, Name, Where
from api.problem import Problem
from rag.errors import GroundwireError
from rag.events import Delta, Done, Event
from rag.llms.base import Purpose
from rag.text.characters import Sound
from rag.trace import Outcome, Trace
from rag.types import Message


class ContentPart(BaseModel):
    """A piece of a message's content; only text is supported."""

    type: Literal["text", "refusal"] = "text"
    text: Sound = ""
    refusal: Sound = ""
    """The text of an assistant that declined."""


class ChatMessage(BaseModel):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: Sound | list[ContentPart] | None = None
    """Null if an assistant's message called tools."""

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
    """What a stream carries beside text."""

    include_usage: bool | None = None


class ChatCompletionRequest(BaseModel):
    """A chat completion request. Other fields, such as `temperature`, are accepted and ignored: the variant decides them."""

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
    """The last user message is the question; the user and assistant messages before it are the history."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: Name | None = None
    """A user or session id: a rollout always gives it the same variant."""
    safety_identifier: Name | None = None
    """Replaces `user`, and takes precedence over it."""
    collection: Name | None = None
    """An extension: the collection to answer from instead of the server's own."""
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

    def require_supported(self) -> None:
        """Raise `GroundwireError` if a field asks for something that is not supported."""
        for field, unsupported, mend in UNSUPPORTED:
            value = getattr(self, field)
            if value is not None and unsupported(value):
                raise GroundwireError(f"{field} cannot be served as it is asked", mend)

    def conversation(self) -> tuple[tuple[Message, ...], str]:
        """The history and the question. Raises `GroundwireError` if there is no question, or it is too long."""
        last = max((place for place, message in enumerate(self.messages) if message.role == "user"), default=None)
        question = "" if last is None else self.messages[last].text
        if not question.strip():
            raise GroundwireError("the messages ask nothing", "end them with a user message that has text")
        if len(question) > LONGEST:
            raise GroundwireError(f"the question has {len(question)} characters", f"ask in at most {LONGEST}")
        before = [message for message in self.messages[:last] if message.role in ("user", "assistant")]
        if longest := max((len(message.text) for message in before if len(message.text) > LONGEST), default=0):
            raise GroundwireError(f"a message before the question has {longest} characters", f"send at most {LONGEST} in each")
        return tuple(Message(role=message.role, content=message.text) for message in before if message.text.strip()), question


UNSUPPORTED: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("n", lambda n: n > 1, "ask for one answer at a time"),
    ("tool_choice", lambda choice: choice not in ("none", "auto"), "no tools are called here: leave it out, or say none or auto"),
    ("function_call", lambda choice: choice not in ("none", "auto"), "no functions are called here: leave it out"),
    ("response_format", lambda shape: shape != {"type": "text"}, "answers are text with citations: leave it out"),
    ("modalities", lambda kinds: kinds != ["text"], "answers are text: leave it out"),
    ("audio", lambda _: True, "answers are text: leave it out"),
    ("logprobs", bool, "a claim's probability is in the field groundwire: leave it out"),
    ("web_search_options", lambda _: True, "answers rest on the documents: leave it out"),
)
"""A field, a test for its unsupported values, and what to do instead."""


class CompletionUsage(BaseModel):
    """Tokens as the provider billed them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: Mapping[str, int]
    completion_tokens_details: Mapping[str, int]

    @classmethod
    def of(cls, trace: Trace) -> Self:
        """The sum over all model calls of the request."""
        usage = trace.usage
        return cls(
            prompt_tokens=usage.prompt,
            completion_tokens=usage.completion,
            total_tokens=usage.prompt + usage.completion,
            prompt_tokens_details={"cached_tokens": usage.cached},
            completion_tokens_details={"reasoning_tokens": usage.reasoning},
        )


class AssistantMessage(BaseModel):
    """The message that holds the answer."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatCompletionChoice(BaseModel):
    """The answer; there is always exactly one choice."""

    index: Literal[0] = 0
    message: AssistantMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class ChatCompletion(BaseModel):
    """The response to a request that does not stream."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    """Seconds since 1970."""
    model: str
    """The model that the request named."""
    choices: tuple[ChatCompletionChoice]
    usage: CompletionUsage
    groundwire: dict[str, Any] = Field(
        json_schema_extra={"example": {"trace_id": "0199...", "outcome": "answered", "verdicts": {"supported": 1}}}
    )
    """An extension: the response of `POST /chat` without its `answer` and `usage`."""

    @classmethod
    def of(cls, trace: Trace, model: str) -> Self:
        """The completion of a trace whose outcome is an answer or a refusal."""
        choice = ChatCompletionChoice(message=AssistantMessage(content=trace.answer), finish_reason=_finish_reason(trace))
        head = _head(trace.id, model)
        return cls(**head, choices=(choice,), usage=CompletionUsage.of(trace), groundwire=_extension(trace))


class ErrorDetail(BaseModel):
    """What went wrong, and how to fix it."""

    message: Sound
    type: str
    param: None = None
    code: str | None = None
    trace_id: str | None = None


class ErrorResponse(BaseModel):
    """An error in the shape that OpenAI clients expect."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "error": {"message": "the messages ask nothing: end them with a user message", "type": "invalid_request_error"}
            }
        }
    )

    error: ErrorDetail

    @classmethod
    def of(cls, error: GroundwireError) -> Self:
        """The error of a request that was refused before it left a trace."""
        problem = Problem.of(error)
        kind = _KINDS.get(problem.status, "invalid_request_error" if problem.status < 500 else "server_error")
        return cls(error=ErrorDetail(message=f"{problem.title}: {problem.detail}", type=kind, code=_CODES.get(problem.status)))

    @classmethod
    def of_trace(cls, trace: Trace) -> Self:
        """The error of a request that was accepted and then failed."""
        kind = "timeout" if trace.outcome is Outcome.TIMED_OUT else "upstream_error"
        return cls(error=ErrorDetail(message=trace.reason or "", type=kind, trace_id=trace.id))


_KINDS = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {401: "invalid_api_key", 404: "not_found", 429: "rate_limit_exceeded"}


class ChatCompletionStream:
    """Writes the events of one request as `chat.completion.chunk` lines."""

    def __init__(self, model: str, *, with_usage: bool) -> None:
        self._model = model
        self._usage: dict[str, Any] = {"usage": None} if with_usage else {}
        self._head: dict[str, Any] = {}

    def write(self, event: Event) -> Iterator[bytes]:
        """The lines of one event, each with its blank line."""
        match event:
            case Delta(text):
                yield self._chunk({"content": text})
            case Done(trace) if trace.succeeded:
                yield self._chunk({}, _finish_reason(trace), groundwire=_extension(trace))
                if self._usage:
                    yield _line({**self._head, "choices": [], "usage": CompletionUsage.of(trace).model_dump()})
                yield b"data: [DONE]\n\n"
            case Done(trace):
                yield _line(ErrorResponse.of_trace(trace).model_dump())
            case _:
                self._head = {**_head(event.trace_id, self._model), "object": "chat.completion.chunk"}
                yield self._chunk({"role": "assistant", "content": ""})

    def _chunk(self, delta: dict[str, str], finish_reason: str | None = None, **fields: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return _line({**self._head, "choices": [choice], **self._usage, **fields})


def error_line(error: GroundwireError) -> bytes:
    """The last line of a stream that fails midway."""
    return _line(ErrorResponse.of(error).model_dump())


def _head(trace_id: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{trace_id}", "created": int(time.time()), "model": model}


def _finish_reason(trace: Trace) -> Literal["stop", "length"]:
    """`length` if the model hit the variant's token limit."""
    reasons = [attempt.finish_reason for attempt in trace.attempts if attempt.purpose in (Purpose.ANSWER, Purpose.RETRY)]
    return "length" if reasons and reasons[-1] == "length" else "stop"


def _extension(trace: Trace) -> dict[str, Any]:
    return ChatResponse.of(trace).model_dump(mode="json", exclude={"answer", "usage"})


def _line(body: dict[str, Any]) -> bytes:
    return b"data: " + to_json(body) + b"\n\n"
