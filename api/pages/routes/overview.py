"""`/overview`: requests, latency, cost, hallucinations and feedback over time.

Knows which figures the page shows. Knows nothing of how they are computed or drawn.
"""

from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.access.authentication import CallerKey, trace_scope
from api.pages.overview import WINDOWS, overview
from api.pages.page import PageRoute, page
from rag.figures import counted
from rag.runtime import Runtime

router = APIRouter(route_class=PageRoute)


@router.get("/overview")
def summary(request: Request, key: CallerKey, window: Literal["hour", "day", "week"] = "day") -> HTMLResponse:
    """A window of time that ends now."""
    runtime: Runtime = request.app.state.gateway.runtime
    found = overview(runtime.engine, WINDOWS[window], key=trace_scope(key))
    rates = found.rates()
    seen = [name for name in found.slots[0].outcomes if found.outcomes.get(name)]
    return page(
        request,
        "overview.html",
        key,
        found=found,
        windows=[(name, one.name.removeprefix("the ").capitalize()) for name, one in WINDOWS.items()],
        chosen=window,
        begins=[slot.begins for slot in found.slots],
        seen=seen,
        by_outcome={name: [slot.outcomes[name] for slot in found.slots] for name in seen},
        shares=[rate and rate.value for rate in rates],
        judged=[counted(rate.judged, "answer") if rate else "" for rate in rates],
        costs=[slot.nanodollars for slot in found.slots],
        thumbs={thumb: [getattr(slot, thumb) for slot in found.slots] for thumb in ("up", "down")},
        tokens_in=sum(use.prompt_tokens for use in found.variants),
        tokens_out=sum(use.completion_tokens for use in found.variants),
        everything=trace_scope(key) is None,
    )
