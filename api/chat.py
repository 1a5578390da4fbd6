"""`POST /chat`, the native endpoint: the answer with its evidence, as JSON or as server-sent events.

Knows the endpoint's request and response. Knows nothing of how a question is answered.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import format_sse_event
from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from api.access.authentication import CallerKey, KeyedRoute
from api.disconnect import unless_disconnected
from api.events import event_stream
from api.example import TRACE, example
from api.gateway import Gateway, GatewayRequest
from api.logs import trace_id
from api.problem import CLIENT_CLOSED_REQUEST, STATUS, Problem, documented, events, traced
from rag.answer.citations import citations
from rag.errors import GroundwireError
from rag.events import Delta, Done, Event, Retrieved
from rag.llms.base import Usage
from rag.text.characters import SOUND, Sound
from rag.trace import Channel, Outcome, Trace
from rag.types import Claim, Message, Passage, Verdict

router = APIRouter(tags=["answers"], route_class=KeyedRoute)

LONGEST = 20_000
"""The most characters that a question or another message may have."""

Name = Annotated[str, Field(max_length=200), SOUND]
Scalar = Sound | int | Annotated[float, Field(allow_inf_nan=False)] | bool


def _one_fault(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """In place of what is wrong with the value as each of the types that it might have."""
    try:
        return validate(value)
    except ValidationError:
        raise PydanticCustomError("where", "it is no text, finite number, true or false, or list of these") from None


Wanted = Annotated[Scalar | list[Scalar], WrapValidator(_one_fault)]
Where = Annotated[Mapping[Sound, Wanted], Field(max_length=32)]
"""Metadata that a passage must have."""


class Turn(BaseModel):
    """One earlier message of the conversation."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Sound = Field(max_length=LONGEST)


class ChatRequest(BaseModel):
    """A question, and the documents to answer it from."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"question": "How long is the warranty?"},
                {
                    "question": "And for a kettle?",
                    "history": [
                        {"role": "user", "content": "How long is the warranty?"},
                        {"role": "assistant", "content": "24 months [1]."},
                    ],
                    "session": "session-7",
                    "where": {"language": ["en", "de"]},
                    "stream": True,
                },
            ]
        },
    )

    question: Sound = Field(min_length=1, max_length=LONGEST)
    history: list[Turn] = Field(default=[], max_length=200)
    """Earlier messages, oldest first."""
    session: Name | None = None
    """A user or session id: a rollout always gives it the same variant."""
    collection: Name | None = None
    """Defaults to the server's own collection."""
    variant: Name | None = Field(default=None, validation_alias=AliasChoices("variant", "model"))
    """A variant or a rollout; defaults to the server's own. May also be sent as `model`."""
    where: Where = {}
    stream: bool = False


class Citation(BaseModel):
    """A passage that the answer cites."""

    number: int
    """As in the answer's text: `[1]`."""
    document_id: str
    source: str
    title: str
    page: int | None
    """Of the passage's first character, counted from 1; null where the document has no pages."""
    text: str


class ChatResponse(BaseModel):
    """The part of a trace that readers need; `GET /v1/traces/{trace_id}` has all of it."""

    trace_id: str
    outcome: Outcome
    reason: str | None
    answer: str
    citations: tuple[Citation, ...]
    """In the order in which the answer cites them."""
    claims: tuple[Claim, ...]
    verdicts: Mapping[Verdict, int]
    """The number of claims with each verdict."""
    passages: tuple[Passage, ...]
    query: str | None
    """What was searched for, if it differs from the question."""
    variant: str
    experiment: str | None
    """The rollout that chose the variant."""
    arm: str | None
    """The arm of the experiment: `control` or `candidate`."""
    model: str | None
    """The model that answered; null if none did."""
    usage: Usage
    cost_nanodollars: int | None
    """Null if a price is not known."""
    first_token_ms: float | None
    total_ms: float | None
    stages: Mapping[str, float]
    """Milliseconds spent in each stage."""

    @classmethod
    def of(cls, trace: Trace) -> Self:
        """The response for a finished trace."""
        counts = Counter(claim.verdict for claim in trace.claims)
        fields: dict[str, Any] = {
            "trace_id": trace.id,
            "citations": _citations(trace),
            "verdicts": {verdict: counts[verdict] for verdict in Verdict},
            "variant": trace.variant.name,
            "experiment": trace.origin.experiment,
            "arm": trace.origin.arm,
            "model": trace.answered_by,
        }
        return cls(**fields, **{name: getattr(trace, name) for name in cls.model_fields.keys() - fields.keys()})


def _citations(trace: Trace) -> list[Citation]:
    numbers = dict.fromkeys(number for marker in citations(trace.answer) for number in marker.numbers)
    passages = {passage.number: passage for passage in trace.passages}
    return [Citation(**passages[number].model_dump(include={*Citation.model_fields})) for number in numbers if number in passages]


STREAM_EXAMPLE = """event: retrieved
data: {"trace_id":"0199...","passages":[{"number":1,"text":"Kettles are covered for 24 months.", ...}]}

event: delta
data: {"text":"Kettles are covered for 24 months [1]."}

event: done
data: {"trace_id":"0199...","outcome":"answered","answer":"Kettles are covered for 24 months [1].", ...}
"""


def _unanswered(outcome: Outcome, reason: str) -> dict[int | str, dict[str, Any]]:
    """A failure for OpenAPI: the response if there is a trace, a problem if no model could be called."""
    status = STATUS[outcome]
    nothing = {"answer": "", "draft": "", "claims": (), "attempts": (), "first_token_ms": None}
    content = example(ChatResponse.of(TRACE.model_copy(update={**nothing, "outcome": outcome, "reason": reason})))
    documentation = documented(status)[status]
    return {status: {**documentation, "model": ChatResponse, "content": content | documentation["content"]}}


@router.post(
    "/chat",
    summary="Answer a question",
    response_model=ChatResponse,
    responses={
        200: {"content": events(STREAM_EXAMPLE) | example(ChatResponse.of(TRACE))},
        **documented(400, 401, 403, 404, 413, 422, 429, 503),
        **_unanswered(Outcome.FAILED, "openai/gpt-4.1-mini failed with status 500"),
        **_unanswered(Outcome.TIMED_OUT, "openai/gpt-4.1-mini gave no text within 30 s"),
    },
)
async def chat(
    body: ChatRequest,
    request: Request,
    key: CallerKey,
    x_session_id: Annotated[str | None, Header(max_length=200, description="Used as `session` if that is left out.")] = None,
) -> Response:
    """Answer a question from the documents.

    With `stream`, the events are `retrieved` (passages), `delta` (text) and `done` (the JSON response), or `error`
    (a problem) if the server fails midway. Lines that begin with a colon only keep the connection open.
    """
    gateway: Gateway = request.app.state.gateway
    gateway_request = GatewayRequest(
        question=body.question,
        channel=Channel.CHAT,
        model=body.variant,
        collection=body.collection,
        history=tuple(Message(role=turn.role, content=turn.content) for turn in body.history),
        where=body.where,
        user=body.session or x_session_id,
        traceparent=request.headers.get("traceparent"),
    )
    if body.stream:
        return await event_stream(request, gateway.stream(gateway_request, key), _event_lines, _error_line)
    trace = await unless_disconnected(request, gateway.answer(gateway_request, key))
    if trace is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    trace_id.set(trace.id)
    status = STATUS[trace.outcome or Outcome.FAILED]
    return JSONResponse(ChatResponse.of(trace).model_dump(mode="json"), status, traced(trace.id))


def _event_lines(event: Event) -> Iterator[bytes]:
    match event:
        case Retrieved(id, passages):
            yield _line("retrieved", _Retrieved(trace_id=id, passages=passages))
        case Delta(text):
            yield _line("delta", _Delta(text=text))
        case Done(trace):
            yield _line("done", ChatResponse.of(trace))


def _error_line(error: GroundwireError) -> bytes:
    return _line("error", Problem.of(error))


def _line(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())


class _Retrieved(BaseModel):
    trace_id: str
    passages: tuple[Passage, ...]


class _Delta(BaseModel):
    text: str
