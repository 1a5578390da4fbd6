"""`POST /chat`, the native endpoint: everything a trace says, as JSON or as server-sent events.

Knows the endpoint's request and response. Knows nothing of how a question is answered.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from fastapi.sse import format_sse_event
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from api.access.authentication import Shown
from api.disconnect import unless_disconnected
from api.events import event_stream
from api.example import TRACE, example
from api.gateway import Asked, Gateway
from api.problem import CLIENT_CLOSED_REQUEST, STATUS, Problem, documented, events, traced
from rag.answer.citations import citations
from rag.errors import GroundwireError
from rag.llms.base import Usage
from rag.pipeline import Delta, Done, Event, Retrieved
from rag.text.characters import Sound
from rag.trace import Channel, Outcome, Trace
from rag.types import Claim, Message, Passage, Verdict

router = APIRouter(tags=["answers"])

LONGEST = 20_000
"""Characters of a question, or of another message."""

Name = Annotated[Sound, Field(max_length=200)]
Plain = Sound | int | Annotated[float, Field(allow_inf_nan=False)] | bool
Where = Annotated[Mapping[Sound, Plain | list[Plain]], Field(max_length=32)]
"""Metadata that a passage must have."""


class Turn(BaseModel):
    """What was said before."""

    model_config = ConfigDict(extra="forbid")

    role: Literal["user", "assistant"]
    content: Sound = Field(max_length=LONGEST)


class Question(BaseModel):
    """What is asked, of which documents."""

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
    """What was said before, oldest first."""
    session: Name | None = None
    """A name of the user or of the session: a rollout answers it by the same variant each time."""
    collection: Name | None = None
    """The server's own, where it is left out."""
    variant: Name | None = Field(default=None, validation_alias=AliasChoices("variant", "model"))
    """Or a rollout; the server's own, where it is left out. It may be called `model`."""
    where: Where = {}
    stream: bool = False


class Citation(BaseModel):
    """A passage that the answer cites."""

    number: int
    """In the answer's text, as `[1]`."""
    document_id: str
    source: str
    title: str
    text: str


class Answer(BaseModel):
    """The part of a trace that readers need; the whole of it is in the ledger under `trace_id`."""

    trace_id: str
    outcome: Outcome
    reason: str | None
    answer: str
    citations: tuple[Citation, ...]
    """In the order of the answer."""
    claims: tuple[Claim, ...]
    verdicts: Mapping[Verdict, int]
    """How many claims have each."""
    passages: tuple[Passage, ...]
    query: str | None
    """What was searched for, where that is not the question."""
    variant: str
    experiment: str | None
    """The rollout that chose the variant."""
    arm: str | None
    """Of the experiment: `control` or `candidate`."""
    model: str | None
    """What answered; null where no model did."""
    usage: Usage
    cost_nanodollars: int | None
    """Null where the price is not known."""
    first_token_ms: float | None
    total_ms: float | None
    stages: Mapping[str, float]
    """Milliseconds spent in each."""

    @classmethod
    def of(cls, trace: Trace) -> "Answer":
        """The trace, abridged."""
        counts = Counter(claim.verdict for claim in trace.claims)
        told: dict[str, Any] = {
            "trace_id": trace.id,
            "citations": _cited(trace),
            "verdicts": {verdict: counts[verdict] for verdict in Verdict},
            "variant": trace.variant.name,
            "experiment": trace.origin.experiment,
            "arm": trace.origin.arm,
            "model": trace.answered_by,
        }
        return cls(**told, **{name: getattr(trace, name) for name in cls.model_fields.keys() - told.keys()})


def _cited(trace: Trace) -> list[Citation]:
    numbers = dict.fromkeys(number for marker in citations(trace.answer) for number in marker.numbers)
    passages = {passage.number: passage for passage in trace.passages}
    return [Citation(**passages[number].model_dump(include={*Citation.model_fields})) for number in numbers if number in passages]


EVENTS = """event: retrieved
data: {"trace_id":"0199...","passages":[{"number":1,"text":"Kettles are covered for 24 months.", ...}]}

event: delta
data: {"text":"Kettles are covered for 24 months [1]."}

event: done
data: {"trace_id":"0199...","outcome":"answered","answer":"Kettles are covered for 24 months [1].", ...}
"""


def _unanswered(outcome: Outcome, reason: str) -> dict[int | str, dict[str, Any]]:
    """A failure that left a trace, for OpenAPI, and a problem where nothing could be asked."""
    status = STATUS[outcome]
    nothing = {"answer": "", "draft": "", "claims": (), "attempts": (), "first_token_ms": None}
    content = example(Answer.of(TRACE.model_copy(update={**nothing, "outcome": outcome, "reason": reason})))
    told = documented(status)[status]
    return {status: {**told, "model": Answer, "content": content | told["content"]}}


@router.post(
    "/chat",
    summary="Answer a question",
    response_model=Answer,
    responses={
        200: {"content": events(EVENTS) | example(Answer.of(TRACE))},
        **documented(400, 401, 403, 404, 413, 422, 429, 503),
        **_unanswered(Outcome.FAILED, "openai/gpt-4.1-mini failed with status 500"),
        **_unanswered(Outcome.TIMED_OUT, "openai/gpt-4.1-mini gave no text within 30 s"),
    },
)
async def chat(
    question: Question,
    request: Request,
    key: Shown,
    x_session_id: Annotated[str | None, Header(max_length=200, description="As `session`, where that is left out.")] = None,
) -> Response:
    """Answer a question from the documents.

    With `stream`, the events are `retrieved` (passages), `delta` (text) and `done` (the answer as the JSON response has it), or
    `error` (a problem) where the server fails on the way. Lines that begin with a colon only keep the connection open.
    """
    gateway: Gateway = request.app.state.gateway
    asked = Asked(
        question=question.question,
        channel=Channel.CHAT,
        model=question.variant,
        collection=question.collection,
        history=tuple(Message(role=turn.role, content=turn.content) for turn in question.history),
        where=question.where,
        user=question.session or x_session_id,
        traceparent=request.headers.get("traceparent"),
    )
    if question.stream:
        return await event_stream(request, gateway.stream(asked, key), _written, _failed)
    trace = await unless_disconnected(request, gateway.answer(asked, key))
    if trace is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    status = STATUS[trace.outcome or Outcome.FAILED]
    return JSONResponse(Answer.of(trace).model_dump(mode="json"), status, traced(trace.id))


def _written(event: Event) -> Iterator[bytes]:
    match event:
        case Retrieved(trace_id, passages):
            yield _event("retrieved", _Begun(trace_id=trace_id, passages=passages))
        case Delta(text):
            yield _event("delta", _Text(text=text))
        case Done(trace):
            yield _event("done", Answer.of(trace))


def _failed(error: GroundwireError) -> bytes:
    return _event("error", Problem.of(error))


def _event(name: str, data: BaseModel) -> bytes:
    return format_sse_event(event=name, data_str=data.model_dump_json())


class _Begun(BaseModel):
    trace_id: str
    passages: tuple[Passage, ...]


class _Text(BaseModel):
    text: str
