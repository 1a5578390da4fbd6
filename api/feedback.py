"""`/v1/feedback`: what people say of answers.

Knows the endpoint's request, and who may speak of which trace. Knows nothing of how it is kept.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.access.authentication import Shown, visible
from api.example import TRACE, example
from api.problem import InvalidError, documented
from rag.ledger.feedback import Entry, Feedback, Opinion
from rag.runtime import Runtime

router = APIRouter(prefix="/v1/feedback", tags=["feedback"])

NOBODY = "anonymous"
"""The author where the server asks for no keys."""

TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=[TRACE.id])]
"""As an answer names it."""


class Said(Opinion):
    """What is said of the answer with this trace: at least one of thumb, score, comment and outcome."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [field]} for field in Opinion.model_fields],
            "examples": [
                {"trace_id": TRACE.id, "thumb": "up"},
                {"trace_id": TRACE.id, "score": 0.2, "comment": "Wrong year.", "outcome": "escalated"},
            ],
        }
    )

    trace_id: TraceId

    @property
    def opinion(self) -> Opinion:
        """Without the trace."""
        return Opinion(**self.model_dump(include=self.model_fields_set & Opinion.model_fields.keys()))


class Entries(BaseModel):
    """All that was said of a trace, the oldest first."""

    data: list[Entry]


ENTRY = Entry(trace_id=TRACE.id, author="3f9a1c07", created_at=TRACE.created_at, thumb="up", outcome="resolved")
"""For OpenAPI."""


@router.post(
    "",
    summary="Say what an answer was worth",
    responses={200: {"content": example(ENTRY)}, **documented(400, 401, 404, 413, 422, 503)},
)
def give(said: Said, request: Request, key: Shown) -> Entry:
    """Keep a thumb, a score, a comment or a business outcome. What the same key said before of the same trace is replaced, field by
    field: one that is left out stays, one that is null is taken back.
    """
    if not said.opinion.model_fields_set:
        raise InvalidError("the feedback says nothing", "give a thumb, a score, a comment or an outcome")
    runtime: Runtime = request.app.state.gateway.runtime
    runtime.traces.require(said.trace_id, key=visible(key))
    return Feedback(runtime.engine).give(said.trace_id, key.id if key else NOBODY, said.opinion)


@router.get(
    "",
    summary="Read what was said of an answer",
    responses={200: {"content": example(Entries(data=[ENTRY]))}, **documented(401, 404, 422, 503)},
)
def of(trace_id: Annotated[TraceId, Query()], request: Request, key: Shown) -> Entries:
    """What was said of a trace that the key may see."""
    runtime: Runtime = request.app.state.gateway.runtime
    runtime.traces.require(trace_id, key=visible(key))
    return Entries(data=Feedback(runtime.engine).of(trace_id))
