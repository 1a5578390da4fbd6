"""`/traces`: the log of requests, one request in full, and its replay.

Knows the form that filters the log. Knows nothing of how traces are found.
"""

from asyncio import to_thread
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import BaseModel, Field, field_validator

from api.access.authentication import CallerKey, trace_scope
from api.access.keys import Key
from api.disconnect import unless_disconnected
from api.gateway import Gateway, GatewayRequest
from api.pages.page import PageRoute, link, page
from api.pages.timeline import timeline
from api.problem import CLIENT_CLOSED_REQUEST
from rag.errors import NotFoundError
from rag.ledger.feedback import Feedback, Thumb
from rag.ledger.traces import LONGEST_SEARCH, Selection
from rag.runtime import Runtime
from rag.trace import Channel, Outcome, Trace
from rag.types import Verdict
from rag.variant import names

router = APIRouter(route_class=PageRoute)

PERIODS = {
    "hour": ("in the last hour", timedelta(hours=1)),
    "day": ("in the last day", timedelta(days=1)),
    "week": ("in the last week", timedelta(weeks=1)),
    "month": ("in the last 30 days", timedelta(days=30)),
}
ROWS = 50
"""Traces on a page."""
COUNTED = 10_000
"""The most traces that are counted; a list of more says so."""


_NOT_COLUMNS = {"evaluations", "after", "skipped"}


class TraceFilter(BaseModel):
    """What the page's form sends. An empty field filters nothing."""

    since: str | None = None
    """One of `PERIODS`."""
    outcome: Outcome | None = None
    variant: str | None = None
    experiment: str | None = None
    prompt: str | None = None
    channel: Channel | None = None
    thumb: Thumb | None = None
    business_outcome: str | None = None
    q: str | None = Field(default=None, max_length=LONGEST_SEARCH)
    """Words in the question."""
    ungrounded: bool = False
    evaluations: bool = False
    """Whether those of evaluations are listed, too: one of them asks more than all readers of a day."""
    after: str | None = None
    """The id of the last trace of the previous page; null for the first page."""
    skipped: int = Field(default=0, ge=0)
    """How many traces are on the pages before this one."""

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_null(cls, value: Any) -> Any:
        return None if value == "" else value

    @property
    def selection(self) -> Selection:
        """The filter in the terms of the ledger."""
        since = datetime.now(UTC) - PERIODS[self.since][1] if self.since in PERIODS else None
        return Selection(**self.model_dump(exclude={"since", *_NOT_COLUMNS}), since=since)

    @property
    def without(self) -> Channel | None:
        """The channel that is left out."""
        return None if self.evaluations or self.channel is Channel.EVALS else Channel.EVALS

    @property
    def query(self) -> dict[str, str]:
        """The fields that filter, as an address has them."""
        given = self.model_dump(mode="json", exclude={"after", "skipped"}, exclude_defaults=True)
        return {name: "true" if value is True else value for name, value in given.items()}


@router.get("/traces")
def traces(request: Request, key: CallerKey, chosen: Annotated[TraceFilter, Query()]) -> HTMLResponse:
    """The log, filtered."""
    runtime: Runtime = request.app.state.gateway.runtime
    wanted, scope = chosen.selection, trace_scope(key)
    found = runtime.traces.page(wanted, key=scope, limit=ROWS, after=chosen.after, without=chosen.without)
    last = chosen.skipped + len(found.summaries)
    return page(
        request,
        "traces.html",
        key,
        found=found,
        chosen=chosen,
        filtered=bool(chosen.query),
        place=f"{chosen.skipped + 1:,}–{last:,}",
        total=runtime.traces.count(wanted, COUNTED + 1, key=scope, without=chosen.without),
        most=COUNTED,
        periods=[(name, label) for name, (label, _) in PERIODS.items()],
        outcomes=[(name.value, name.value.replace("_", " ")) for name in Outcome],
        channels=[(name.value, name.value) for name in Channel if scope is None or name is not Channel.SHADOW],
        variants=names(runtime.settings.variants) if scope is None else (),
        first=link(request, "/traces", **chosen.query) if chosen.after else None,
        older=link(request, "/traces", **chosen.query, after=found.next, skipped=last) if found.next else None,
    )


@router.get("/traces/{id}")
def trace(request: Request, key: CallerKey, id: str, replay: str | None = None) -> HTMLResponse:
    """One request in full, beside its replay if there was one."""
    runtime: Runtime = request.app.state.gateway.runtime
    found = _trace(runtime, id, key)
    again = _trace(runtime, replay, key) if replay else None
    steps = timeline(found)
    return page(
        request,
        "trace.html",
        key,
        trace=found,
        supported=sum(claim.verdict is Verdict.SUPPORTED for claim in found.claims),
        feedback=Feedback(runtime.engine).of(found.id),
        timeline=steps,
        whole=max([found.total_ms or 0.0, *(step.start + step.took for step in steps)]),
        replay=again,
        changed=_changed(found.versions.model_dump(), again.versions.model_dump()) if again else [],
        replayable=found.outcome is not None,
        everything=trace_scope(key) is None,
    )


@router.post("/traces/{id}/replay")
async def replay(request: Request, key: CallerKey, id: str) -> Response:
    """Ask the question of a trace again, by its variant as it was then, and show both answers."""
    gateway: Gateway = request.app.state.gateway
    found = await to_thread(_trace, gateway.runtime, id, key)
    gateway_request = GatewayRequest(
        question=found.question,
        channel=Channel.CHAT,
        model=found.origin.experiment or found.variant.name,
        variant=found.variant,
        collection=found.collection,
        history=found.history,
        where=found.where,
    )
    again = await unless_disconnected(request, gateway.answer(gateway_request, key))
    if again is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return RedirectResponse(link(request, f"/traces/{found.id}", replay=again.id) + "#replay", 303)


def _trace(runtime: Runtime, id: str, key: Key | None) -> Trace:
    """A trace that the key may see. Raises `NotFoundError` in words for who looks at a page."""
    try:
        return runtime.traces.get(id, key=trace_scope(key))
    except NotFoundError as error:
        raise NotFoundError(error.problem, "the list has those that are kept and that you may see") from error


def _changed(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """The names of the versions that differ."""
    return [name for name in then if then[name] != now[name]]
