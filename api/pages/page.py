"""How a page is rendered: its template, its headers, and its failures as pages.

Knows markup and headers. Knows nothing of what a page is about.
"""

import hashlib
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.access.authentication import from_our_pages, recognized, trace_scope
from api.access.keys import Key
from api.pages import formatting, plots
from api.problem import ForbiddenError, InvalidError, Problem, UnauthorizedError, headers
from api.telemetry import metrics
from evals import format
from prompts.terminal import printable
from rag.errors import GroundwireError

FOLDER = Path(__file__).parent
STATIC = {path.name: path for path in (FOLDER / "static").iterdir()}
"""Style, scripts and icon, by name."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""The headers of every page: no script of a document or a model runs, and no browser or proxy stores the page."""


class NavigationLink(NamedTuple):
    """An entry of the navigation."""

    path: str
    label: str
    open: bool
    """Whether every key may open it. The other pages show what all keys did, and need an admin key."""


NAVIGATION = (
    NavigationLink("/", "Chat", True),
    NavigationLink("/traces", "Traces", True),
    NavigationLink("/overview", "Overview", True),
    NavigationLink("/experiments", "Experiments", False),
    NavigationLink("/prompts", "Prompts", False),
    NavigationLink("/reports", "Reports", False),
)


class PageRoute(APIRoute):
    """A route whose failures are pages, too. A request without a key is redirected to the login page."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                _require_own_origin(request)
                return await handle(request)
            except UnauthorizedError:
                # A form cannot be sent again after the login, so that continues on the page of the form.
                path = request.url.path if request.method == "GET" else request.url.path.rpartition("/")[0] or "/"
                address = path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"{link(request, '/login')}?{urlencode({'next': address})}", 303)
            except RequestValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"][1:])
                return await refused(request, InvalidError(f"{field}: {first['msg']}", "mend that part of the address"))
            except GroundwireError as error:
                metrics.observe_refusal(error)
                return await refused(request, error)

        return handler


def page(request: Request, template: str, key: Key | None, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A template, rendered for the caller with this key."""
    return _response(request, template, status, key=key, places=navigation(key), **values)


async def refused(request: Request, error: GroundwireError) -> HTMLResponse:
    """A failure as a page. Where it is not known who calls, it links to no page that needs a key."""
    problem = Problem.of(error)
    known = False
    with suppress(GroundwireError):  # the ledger may be what failed
        known = await recognized(request)
    key: Key | None = request.state.key if known else None
    places = navigation(key) if known else ()
    way = _way_back(request, places)
    response = _response(request, "error.html", problem.status, key=key, places=places, problem=problem, way=way)
    response.headers.update(headers(error))
    return response


def _way_back(request: Request, places: Sequence[NavigationLink]) -> tuple[str, str]:
    """Where a failure leads, and its words: to the page of the form that was sent, to the list that has no such entry, or to the chat."""
    path = _path(request)
    if request.method == "POST" and path.count("/") > 1:
        return path.rpartition("/")[0], "Back"
    for place in places:
        if place.path == f"/{path.split('/')[1]}" != "/":
            return place.path, f"To the {place.label.lower()}"
    return "/", "To the chat"


def navigation(key: Key | None) -> tuple[NavigationLink, ...]:
    """The pages that this key may open."""
    return tuple(entry for entry in NAVIGATION if entry.open or trace_scope(key) is None)


def require_all(key: Key | None) -> None:
    """Raises `ForbiddenError` if the key may see only its own traces."""
    if trace_scope(key) is not None:
        raise ForbiddenError("this page shows what all keys did", "open it with an admin key")


def link(request: Request, path: str, **query: Any) -> str:
    """The address of one of our pages, below the proxy's root path. Parameters that are null are left out."""
    given = urlencode({name: str(value) for name, value in query.items() if value is not None})
    return f"{request.scope.get('root_path', '')}{quote(path)}{'?' if given else ''}{given}"


def _require_own_origin(request: Request) -> None:
    """Raises `ForbiddenError` if a page of another site sends a form here, with or without our cookie."""
    if "origin" in request.headers and not from_our_pages(request):
        raise ForbiddenError("another site sent this form", "open the page here, and send it from there")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {name: getattr(formatting, name) for name in formatting.__all__}
    environment.globals |= {"format": format, "plots": plots, "version": _version()}
    return environment


def _response(request: Request, template: str, status: int, **values: Any) -> HTMLResponse:
    def address(path: str, **query: Any) -> str:
        return link(request, path, **query)

    path = _path(request)
    values |= {"link": address, "path": path, "here": "/" + path.split("/")[1], "now": datetime.now(UTC)}
    return HTMLResponse(printable(_environment().get_template(template).render(values)), status, HEADERS)


def _path(request: Request) -> str:
    """Below the proxy's root path."""
    return request.url.path.removeprefix(str(request.scope.get("root_path", "")))


def _version() -> str:
    """A digest of style and scripts, so that browsers load them anew when they change."""
    contents = (STATIC[name].read_bytes() for name in sorted(STATIC))
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]
