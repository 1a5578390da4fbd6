"""`/`: the chat page.

Knows which collections a key may ask, how large they are, and what was answered from them lately. Knows nothing of how a question is answered.
"""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.access.authentication import CallerKey, trace_scope
from api.access.keys import Key
from api.gateway import Gateway
from api.pages.page import PageRoute, page
from rag.ledger.traces import Selection
from rag.runtime import Runtime
from rag.trace import Channel, Outcome, Trace
from rag.types import Verdict

router = APIRouter(route_class=PageRoute)

EXAMPLES = 3
RECENT = 20
"""The latest answers that examples are looked for in."""
LONGEST_EXAMPLE = 120
"""Characters."""


@router.get("/")
def chat(request: Request, key: CallerKey) -> HTMLResponse:
    """Ask a question, and see what the answer rests on."""
    gateway: Gateway = request.app.state.gateway
    runtime = gateway.runtime
    ready = (collection.name for collection in runtime.corpus.collections() if collection.generation)
    allowed = [name for name in ready if key is None or key.collections is None or name in key.collections]
    only = allowed[0] if len(allowed) == 1 else None
    return page(
        request,
        "chat.html",
        key,
        collections=allowed,
        collection=only or gateway.collection,
        documents=runtime.corpus.count(only)[0] if only else None,
        examples=_answered(runtime, only or gateway.collection, key),
        automatic=key is None or key.models is None or gateway.model in key.models,
        inspects=trace_scope(key) is None,
    )


def _answered(runtime: Runtime, collection: str, key: Key | None) -> list[str]:
    """Short questions of this key that were answered lately, every claim supported; none that rests on a conversation."""
    wanted = Selection(outcome=Outcome.ANSWERED, channel=Channel.CHAT, collection=collection, key=key.id if key else None)
    questions = (
        trace.question.strip()
        for trace in runtime.traces.latest(RECENT, wanted)
        if len(trace.question) <= LONGEST_EXAMPLE and not trace.history and _supported(trace)
    )
    distinct = {question.casefold(): question for question in questions}
    return list(distinct.values())[:EXAMPLES]


def _supported(trace: Trace) -> bool:
    return bool(trace.claims) and all(claim.verdict is Verdict.SUPPORTED for claim in trace.claims)
