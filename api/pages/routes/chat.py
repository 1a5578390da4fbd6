"""`/`: the chat page.

Knows which collections a key may ask. Knows nothing of how a question is answered.
"""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.access.authentication import CallerKey, trace_scope
from api.gateway import Gateway
from api.pages.page import PageRoute, page

router = APIRouter(route_class=PageRoute)


@router.get("/")
def chat(request: Request, key: CallerKey) -> HTMLResponse:
    """Ask a question, and see what the answer rests on."""
    gateway: Gateway = request.app.state.gateway
    ready = (collection.name for collection in gateway.runtime.corpus.collections() if collection.generation)
    allowed = [name for name in ready if key is None or key.collections is None or name in key.collections]
    return page(
        request,
        "chat.html",
        key,
        collections=allowed,
        collection=gateway.collection,
        automatic=key is None or key.models is None or gateway.model in key.models,
        inspects=trace_scope(key) is None,
    )
