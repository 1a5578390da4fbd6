"""`/v1/feedback`: readers' feedback on answers.

Knows the request, and which key may give feedback on which trace. Knows nothing of how it is stored.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.access.authentication import CallerKey, KeyedRoute, trace_scope
from api.example import TRACE, example
from api.problem import InvalidError, documented
from rag.ledger.feedback import Feedback, FeedbackEntry, FeedbackFields
from rag.runtime import Runtime

router = APIRouter(prefix="/v1/feedback", tags=["feedback"], route_class=KeyedRoute)

ANONYMOUS = "anonymous"
"""The author if the server asks for no keys."""

TraceId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", examples=[TRACE.id])]
"""The `trace_id` of an answer."""


class FeedbackRequest(FeedbackFields):
    """Feedback on the answer with this trace: at least one of thumb, score, comment and outcome."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [{"required": [field]} for field in FeedbackFields.model_fields],
            "examples": [
                {"trace_id": TRACE.id, "thumb": "up"},
                {"trace_id": TRACE.id, "score": 0.2, "comment": "Wrong year.", "outcome": "escalated"},
            ],
        }
    )

    trace_id: TraceId

    @property
    def fields(self) -> FeedbackFields:
        """The fields that the request sets, without the trace's id."""
        return FeedbackFields(**self.model_dump(include=self.model_fields_set & FeedbackFields.model_fields.keys()))


class FeedbackList(BaseModel):
    """The feedback on one trace, oldest first."""

    data: list[FeedbackEntry]


EXAMPLE = FeedbackEntry(trace_id=TRACE.id, author="3f9a1c07", created_at=TRACE.created_at, thumb="up", outcome="resolved")
"""The example in the OpenAPI document."""


@router.post(
    "",
    summary="Give feedback on an answer",
    responses={200: {"content": example(EXAMPLE)}, **documented(400, 401, 404, 413, 422, 503)},
)
def give_feedback(body: FeedbackRequest, request: Request, key: CallerKey) -> FeedbackEntry:
    """Store a thumb, a score, a comment or a business outcome.

    A key has one entry per trace, which later feedback updates field by field: a field that is left out keeps its value, and
    null clears it.
    """
    if not body.fields.model_fields_set:
        raise InvalidError("the feedback says nothing", "give a thumb, a score, a comment or an outcome")
    runtime: Runtime = request.app.state.gateway.runtime
    runtime.traces.require(body.trace_id, key=trace_scope(key))
    return Feedback(runtime.engine).give(body.trace_id, key.id if key else ANONYMOUS, body.fields)


@router.get(
    "",
    summary="List the feedback on an answer",
    responses={200: {"content": example(FeedbackList(data=[EXAMPLE]))}, **documented(401, 404, 422, 503)},
)
def list_feedback(trace_id: Annotated[TraceId, Query()], request: Request, key: CallerKey) -> FeedbackList:
    """The feedback on a trace that the key may see."""
    runtime: Runtime = request.app.state.gateway.runtime
    runtime.traces.require(trace_id, key=trace_scope(key))
    return FeedbackList(data=Feedback(runtime.engine).of(trace_id))
