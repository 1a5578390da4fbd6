"""How a page is made: the templates, what they may use, and what the browser may load.

Knows markup and headers. Knows nothing of what a page is about.
"""

import hashlib
from collections.abc import Callable, Coroutine
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

from api.access.authentication import from_our_pages, visible
from api.access.keys import Key
from api.pages import plots, shown
from api.problem import ForbiddenError, InvalidError, Problem, UnauthorizedError, headers
from api.telemetry import metrics
from evals import format
from evals.report.text import printable
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
"""Of every page: whatever a document or a model may say, nothing of it is carried out, and nothing of a page is kept."""


class Place(NamedTuple):
    """An entry of the navigation."""

    path: str
    label: str
    open: bool
    """To every key; the others show what all keys together did."""


PLACES = (
    Place("/", "Chat", True),
    Place("/traces", "Traces", True),
    Place("/overview", "Overview", True),
    Place("/experiments", "Experiments", False),
    Place("/prompts", "Prompts", False),
    Place("/reports", "Reports", False),
)


class PageRoute(APIRoute):
    """A route whose failures are pages too; who has to show a key first is sent where that is done."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                _require_own(request)
                return await handle(request)
            except UnauthorizedError:
                # What was sent is not sent again: a form's page is where to go on.
                path = request.url.path if request.method == "GET" else request.url.path.rpartition("/")[0] or "/"
                there = path + (f"?{request.url.query}" if request.url.query else "")
                return RedirectResponse(f"{link(request, '/login')}?{urlencode({'next': there})}", 303)
            except RequestValidationError as error:
                first = error.errors()[0]
                field = ".".join(str(part) for part in first["loc"][1:])
                return refused(request, InvalidError(f"{field}: {first['msg']}", "mend that part of the address"))
            except GroundwireError as error:
                metrics.turned_away(error)
                return refused(request, error)

        return handler


def page(request: Request, template: str, key: Key | None, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A template, rendered for who has shown `key`."""
    return _response(request, template, status, key=key, places=places(key), **values)


def refused(request: Request, error: GroundwireError) -> HTMLResponse:
    """A failure as a page; who asked is not known, so nothing is linked that needs a key."""
    told = Problem.of(error)
    response = _response(request, "error.html", told.status, key=None, places=(), told=told)
    response.headers.update(headers(error))
    return response


def places(key: Key | None) -> tuple[Place, ...]:
    """Where this key may go."""
    return tuple(place for place in PLACES if place.open or visible(key) is None)


def require_all(key: Key | None) -> None:
    """Raises `ForbiddenError` where a key may see no more than its own traces."""
    if visible(key) is not None:
        raise ForbiddenError("this page shows what all keys did", "open it with an admin key")


def link(request: Request, path: str, **query: Any) -> str:
    """The address of a path of ours, below whatever a proxy has put before it; a value that is null is left out."""
    given = urlencode({name: str(value) for name, value in query.items() if value is not None})
    return f"{request.scope.get('root_path', '')}{quote(path)}{'?' if given else ''}{given}"


def _require_own(request: Request) -> None:
    """Raises `ForbiddenError` where the page of another site sends a form here: a browser says so, whether there is a cookie or not."""
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
    environment.filters |= {name: getattr(shown, name) for name in shown.__all__}
    environment.globals |= {"format": format, "plots": plots, "version": _version()}
    return environment


def _response(request: Request, template: str, status: int, **values: Any) -> HTMLResponse:
    def address(path: str, **query: Any) -> str:
        return link(request, path, **query)

    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    values |= {"link": address, "path": path, "here": "/" + path.split("/")[1], "now": datetime.now(UTC)}
    return HTMLResponse(printable(_environment().get_template(template).render(values)), status, HEADERS)


def _version() -> str:
    """Of the style and the scripts together: a browser keeps neither of an earlier one."""
    contents = (STATIC[name].read_bytes() for name in sorted(STATIC))
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]
