"""`/v1/traces`: the log of requests.

Knows the endpoints, and which key may see which trace. Knows nothing of how traces are found.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.access.authentication import CallerKey, trace_scope
from api.example import TRACE, example
from api.feedback import TraceId
from api.problem import ForbiddenError, documented, traced
from rag.ledger.traces import Selection, TraceSummary
from rag.runtime import Runtime
from rag.trace import Trace

router = APIRouter(prefix="/v1/traces", tags=["traces"])


class TraceQuery(Selection):
    """The filters of a list of traces, and which page of it to return."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: TraceId | None = None
    """`next` of the previous page; leave it out for the first page."""


class TracePage(BaseModel):
    """A page of traces, newest first."""

    data: list[TraceSummary]
    next: str | None
    """The cursor of the next page; null on the last page."""


SUMMARY_EXAMPLE = TraceSummary(
    **{name: getattr(TRACE, name) for name in TraceSummary.model_fields if name != "variant" and hasattr(TRACE, name)},
    variant=TRACE.variant.name,
    prompt="answer@2",
    model=TRACE.variant.llm.model,
    key="3f9a1c07",
    experiment=None,
    arm=None,
    shadow_of=None,
    prompt_tokens=TRACE.usage.prompt,
    completion_tokens=TRACE.usage.completion,
    up=1,
    down=0,
)
"""The example in the OpenAPI document."""


@router.get(
    "",
    summary="List traces",
    responses={
        200: {"content": example(TracePage(data=[SUMMARY_EXAMPLE], next=TRACE.id))},
        **documented(401, 403, 404, 422, 503),
    },
)
def list_traces(query: Annotated[TraceQuery, Query()], request: Request, key: CallerKey) -> TracePage:
    """The traces that match all filters, newest first. An admin key sees all traces, any other key its own."""
    scope = trace_scope(key)
    if query.key and scope:
        raise ForbiddenError("only an administrator's key may list another key's traces", "leave the filter key out")
    runtime: Runtime = request.app.state.gateway.runtime
    page = runtime.traces.page(query, key=scope, limit=query.limit, after=query.cursor)
    return TracePage(data=page.summaries, next=page.next)


@router.get(
    "/{id}",
    summary="Open a trace",
    response_model=Trace,
    responses={200: {"content": example(TRACE)}, **documented(401, 404, 422, 503)},
)
def get_trace(id: Annotated[TraceId, Path()], request: Request, key: CallerKey) -> Response:
    """The whole trace: messages as sent, passages, claims with their evidence, model calls, timings and cost."""
    runtime: Runtime = request.app.state.gateway.runtime
    trace = runtime.traces.get(id, key=trace_scope(key))
    return Response(trace.model_dump_json(), media_type="application/json", headers=traced(id))
