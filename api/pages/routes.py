"""Which page is where, and what it shows.

Knows addresses, and what each page is made of. Knows no markup and no SQL.
"""

from asyncio import to_thread
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from pydantic import ValidationError

from api.access.authentication import Shown, forget, keep, visible
from api.access.keys import Keys
from api.disconnect import unless_disconnected
from api.gateway import Asked, Gateway
from api.pages import evaluations
from api.pages.library import versions
from api.pages.overview import WINDOWS, Use, overview, uses
from api.pages.page import HEADERS, STATIC, PageRoute, link, page, require_all
from api.pages.timeline import timeline
from api.problem import CLIENT_CLOSED_REQUEST, InvalidError
from api.rollouts.results import results
from prompts.difference import difference, properties, spoken
from prompts.library import Library
from rag.errors import NotFoundError
from rag.ledger.feedback import Feedback
from rag.ledger.traces import Selection
from rag.runtime import Runtime
from rag.trace import Channel, Outcome
from rag.types import Verdict
from rag.variant import names

router = APIRouter(route_class=PageRoute, include_in_schema=False)

PERIODS = {
    "hour": ("in the last hour", timedelta(hours=1)),
    "day": ("in the last day", timedelta(days=1)),
    "week": ("in the last week", timedelta(weeks=1)),
    "month": ("in the last 30 days", timedelta(days=30)),
}
RECENT = timedelta(days=30)
"""How far back the use of a prompt is counted."""
HEADLINES = ("hallucination", "correct", "f1", "refusal_correct", "ndcg", "latency", "cost")
"""Metrics that the list of runs shows, as far as a run has them."""
ROWS = 50
"""Traces on a page."""
FORM_BYTES = 4096
"""Of a form that is sent here."""
ONE_YEAR = "public, max-age=31536000, immutable"
"""For what is asked for by the digest of its content."""


@router.get("/static/{name}")
async def static(name: str) -> Response:
    """Style, scripts and icon."""
    if name not in STATIC:
        raise NotFoundError(f"there is no file {name}", "reload the page")
    return FileResponse(STATIC[name], headers={"Cache-Control": ONE_YEAR, "X-Content-Type-Options": "nosniff"})


@router.get("/")
def chat(request: Request, key: Shown) -> HTMLResponse:
    """Ask, and see what the answer rests on."""
    gateway = _gateway(request)
    filled = (collection.name for collection in gateway.runtime.corpus.collections() if collection.generation)
    allowed = [name for name in filled if key is None or key.collections is None or name in key.collections]
    return page(request, "chat.html", key, collections=allowed, collection=gateway.collection, inspects=visible(key) is None)


@router.get("/traces")
def traces(
    request: Request,
    key: Shown,
    since: str = "",
    outcome: str = "",
    variant: str = "",
    experiment: str = "",
    prompt: str = "",
    channel: str = "",
    thumb: str = "",
    business_outcome: str = "",
    q: str = "",
    ungrounded: bool = False,
    after: str = "",
) -> HTMLResponse:
    """The log, filtered; a field that a form sends empty filters nothing."""
    given: dict[str, Any] = {"outcome": outcome, "variant": variant, "experiment": experiment, "prompt": prompt}
    given |= {"channel": channel, "thumb": thumb, "business_outcome": business_outcome, "q": q, "ungrounded": ungrounded}
    given = {name: value or None for name, value in given.items()}
    wanted = {name: value for name, value in given.items() if value}
    if since in PERIODS:
        wanted["since"] = datetime.now(UTC) - PERIODS[since][1]
    runtime = _runtime(request)
    listed = runtime.traces.page(_selection(wanted), key=visible(key), limit=ROWS, after=after or None)
    chosen = given | {"since": since or None}
    here = {name: "true" if value is True else value for name, value in chosen.items()}
    return page(
        request,
        "traces.html",
        key,
        listed=listed,
        chosen=chosen,
        filtered=any(chosen.values()),
        periods=[(name, label) for name, (label, _) in PERIODS.items()],
        outcomes=[(name.value, name.value.replace("_", " ")) for name in Outcome],
        channels=[(name.value, name.value) for name in Channel if visible(key) is None or name is not Channel.SHADOW],
        variants=names(runtime.settings.variants) if visible(key) is None else (),
        first=link(request, "/traces", **here) if after else None,
        older=link(request, "/traces", **here, after=listed.next) if listed.next else None,
    )


@router.get("/traces/{id}")
def trace(request: Request, key: Shown, id: str, replay: str | None = None) -> HTMLResponse:
    """One request, whole; beside its replay where there was one."""
    runtime = _runtime(request)
    found = runtime.traces.get(id, key=visible(key))
    again = runtime.traces.get(replay, key=visible(key)) if replay else None
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
        everything=visible(key) is None,
    )


@router.post("/traces/{id}/replay")
async def replay(request: Request, key: Shown, id: str) -> Response:
    """Ask the question of a trace once more, by its variant as it was then, and show both."""
    gateway = _gateway(request)
    found = await to_thread(gateway.runtime.traces.get, id, key=visible(key))
    asked = Asked(
        question=found.question,
        channel=Channel.CHAT,
        model=found.origin.experiment or found.variant.name,
        variant=found.variant,
        collection=found.collection,
        history=found.history,
        where=found.where,
    )
    again = await unless_disconnected(request, gateway.answer(asked, key))
    if again is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return RedirectResponse(link(request, f"/traces/{found.id}", replay=again.id) + "#replay", 303)


@router.get("/overview")
def summary(request: Request, key: Shown, window: Literal["hour", "day", "week"] = "day") -> HTMLResponse:
    """How it goes: requests, latency, cost, hallucinations and feedback over time."""
    found = overview(_runtime(request).engine, WINDOWS[window], key=visible(key))
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
        rates=[slot.rate for slot in found.slots],
        costs=[slot.nanodollars for slot in found.slots],
        thumbs={thumb: [getattr(slot, thumb) for slot in found.slots] for thumb in ("up", "down")},
        tokens_in=sum(use.prompt_tokens for use in found.variants),
        tokens_out=sum(use.completion_tokens for use in found.variants),
        everything=visible(key) is None,
    )


@router.get("/experiments")
def experiments(request: Request, key: Shown) -> HTMLResponse:
    """The rollouts, the latest first."""
    require_all(key)
    rollouts = _gateway(request).rollouts
    return page(request, "experiments.html", key, rollouts=rollouts.all(), unreadable=rollouts.unreadable())


@router.get("/experiments/{name}")
def experiment(request: Request, key: Shown, name: str) -> HTMLResponse:
    """What came of one rollout, and how sure that is."""
    require_all(key)
    return page(request, "experiment.html", key, found=results(_gateway(request).rollouts, name))


@router.get("/prompts")
def prompts(request: Request, key: Shown) -> HTMLResponse:
    """Every prompt of the library, with what its newest version is for."""
    require_all(key)
    library, used = _library(request), _uses(request)
    found = [(name, versions(library, name, used)) for name in library.names()]
    return page(request, "prompts.html", key, found=[(name, there) for name, there in found if there])


@router.get("/prompts/{name}")
def prompt(request: Request, key: Shown, name: str, version: int | None = None, against: int | None = None) -> HTMLResponse:
    """The versions of one prompt, the text of one of them, and what differs from another."""
    require_all(key)
    there = {one.number: one for one in versions(_library(request), name, _uses(request))}
    if not there:
        raise NotFoundError(f"there is no prompt {name}", "the page of prompts lists what there is")
    shown = there.get(version or max(there))
    other = (
        there.get(against)
        if against
        else next((there[n] for n in sorted(there, reverse=True) if shown and n < shown.number), None)
    )
    if shown is None or (against and other is None):
        raise NotFoundError(f"there is no such version of the prompt {name}", f"there is {', '.join(map(str, sorted(there)))}")
    changes = None
    if shown.prompt and other and other.prompt:
        changes = [difference(text(other.prompt), text(shown.prompt)) for text in (properties, spoken)]
    return page(request, "prompt.html", key, name=name, versions=list(there.values()), shown=shown, other=other, changes=changes)


@router.get("/reports")
def reports(request: Request, key: Shown) -> HTMLResponse:
    """The latest runs with their scores, and the comparisons that were written."""
    require_all(key)
    runtime = _runtime(request)
    runs, written = evaluations.latest(runtime), evaluations.reports(runtime.settings.home)
    shown = {score.metric.name: score.metric for run in runs for score in run.scores if score.metric.name in HEADLINES}
    return page(
        request, "reports.html", key, runs=runs, reports=written, metrics=[shown[name] for name in HEADLINES if name in shown]
    )


@router.get("/runs/{id}")
def run(request: Request, key: Shown, id: str) -> HTMLResponse:
    """One run: every metric, with its interval."""
    require_all(key)
    return page(request, "run.html", key, found=evaluations.scored(_runtime(request), id))


@router.get("/reports/{name:path}")
def report(request: Request, key: Shown, name: str) -> Response:
    """A report as it was written: a page that needs nothing else, and gets nothing else."""
    require_all(key)
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox allow-popups"
    path = evaluations.report(_runtime(request).settings.home, name)
    return FileResponse(path, media_type="text/html", headers={**HEADERS, "Content-Security-Policy": policy})


@router.get("/login")
async def login(request: Request, next: str = "/") -> Response:
    """Where a key is shown, if the server asks for one."""
    keys: Keys = request.app.state.keys
    if not await to_thread(keys.any):
        return RedirectResponse(link(request, "/"), 303)
    return page(request, "login.html", None, next=next, problem=None)


@router.post("/login")
async def log_in(request: Request, next: str = "/") -> Response:
    """Keep a key in a cookie, if it is good, and go on."""
    keys: Keys = request.app.state.keys
    secret = (await _form(request)).get("key", "").strip()
    if await to_thread(keys.find, secret) is None:
        problem = "That key is not known, or was revoked."
        return page(request, "login.html", None, status=401, next=next, problem=problem)
    response = RedirectResponse(_own(request, next), 303)
    keep(secret, request, response)
    return response


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Forget the key, and what was said in this browser's tabs."""
    response = RedirectResponse(link(request, "/login"), 303, {"Clear-Site-Data": '"storage"'})
    forget(response)
    return response


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def _runtime(request: Request) -> Runtime:
    return _gateway(request).runtime


def _library(request: Request) -> Library:
    return Library(_runtime(request).settings.prompts)


def _uses(request: Request) -> dict[str, Use]:
    """Of every prompt, by its reference."""
    since = (datetime.now(UTC) - RECENT).isoformat(timespec="milliseconds")
    return {use.name: use for use in uses(_runtime(request).engine, "prompt", since)}


def _selection(wanted: dict[str, Any]) -> Selection:
    try:
        return Selection(**wanted)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidError(f"{first['loc'][0]}: {first['msg']}", "mend that part of the filter") from error


def _changed(then: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """What decides an answer, and is no longer as it was."""
    return [name for name in then if then[name] != now[name]]


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, the first of each name; of a longer one, its beginning."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            break
    fields = parse_qs(body[:FORM_BYTES].decode(errors="replace"))
    return {name: values[0] for name, values in fields.items()}


def _own(request: Request, address: str) -> str:
    """The address, where it is one of ours, and the first page where it is not."""
    try:
        foreign = bool(urlsplit(address).netloc)
    except ValueError:
        foreign = True
    ours = address.startswith("/") and not address.startswith("//") and "\\" not in address and not foreign
    return address if ours else link(request, "/")
