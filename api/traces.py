"""`/v1/traces`: the log of requests, to look through and to open.

Knows the endpoints, and who may see what. Knows nothing of how traces are found.
"""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.access.authentication import Shown, visible
from api.example import TRACE, example
from api.feedback import TraceId
from api.problem import ForbiddenError, documented, traced
from rag.ledger.traces import Selection, Summary
from rag.runtime import Runtime
from rag.trace import Trace

router = APIRouter(prefix="/v1/traces", tags=["traces"])


class Listing(Selection):
    """Which traces, and which page of them."""

    limit: int = Field(default=50, ge=1, le=200)
    cursor: TraceId | None = None
    """`next` of the page before; the first page without it."""


class Listed(BaseModel):
    """A page of traces, newest first."""

    data: list[Summary]
    next: str | None
    """The cursor of the next page; null after the last."""


SUMMARY = Summary(
    **{name: getattr(TRACE, name) for name in Summary.model_fields if name != "variant" and hasattr(TRACE, name)},
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
"""For OpenAPI."""


@router.get(
    "",
    summary="List traces",
    responses={
        200: {"content": example(Listed(data=[SUMMARY], next=TRACE.id))},
        **documented(401, 403, 404, 422, 503),
    },
)
def page(listing: Annotated[Listing, Query()], request: Request, key: Shown) -> Listed:
    """The traces that the key may see and that fit all filters, newest first: its own, or all where it is an administrator's."""
    seen_by = visible(key)
    if listing.key and seen_by:
        raise ForbiddenError("only an administrator's key may list another key's traces", "leave the filter key out")
    runtime: Runtime = request.app.state.gateway.runtime
    found = runtime.traces.page(listing, key=seen_by, limit=listing.limit, after=listing.cursor)
    return Listed(data=found.summaries, next=found.next)


@router.get(
    "/{id}",
    summary="Open a trace",
    response_model=Trace,
    responses={200: {"content": example(TRACE)}, **documented(401, 404, 422, 503)},
)
def whole(id: Annotated[TraceId, Path()], request: Request, key: Shown) -> Response:
    """All that is known of one request: the messages as sent, passages, claims with their evidence, attempts, times and cost."""
    runtime: Runtime = request.app.state.gateway.runtime
    found = runtime.traces.get(id, key=visible(key))
    return Response(found.model_dump_json(), media_type="application/json", headers=traced(id))
