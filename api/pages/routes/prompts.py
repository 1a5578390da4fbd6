"""`/prompts`: the prompt library, and the versions of one prompt.

Knows which version is compared with which. Knows nothing of how texts are compared.
"""

from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from api.access.authentication import CallerKey
from api.pages.library import Version, versions
from api.pages.overview import Use, uses
from api.pages.page import PageRoute, page, require_all
from prompts.difference import difference, properties, spoken
from prompts.library import Library
from rag.errors import NotFoundError
from rag.runtime import Runtime

router = APIRouter(route_class=PageRoute)

RECENT = timedelta(days=30)
"""How far back the use of a prompt is counted."""


@router.get("/prompts")
def prompts(request: Request, key: CallerKey) -> HTMLResponse:
    """Every prompt of the library, with what its newest version is for."""
    require_all(key)
    runtime: Runtime = request.app.state.gateway.runtime
    library, used = Library(runtime.settings.prompts), _uses(runtime)
    found = [(name, versions(library, name, used)) for name in library.names()]
    return page(request, "prompts.html", key, found=[(name, listed) for name, listed in found if listed])


@router.get("/prompts/{name}")
def prompt(request: Request, key: CallerKey, name: str, version: int | None = None, against: int | None = None) -> HTMLResponse:
    """The versions of one prompt, the text of one of them, and its difference from another."""
    require_all(key)
    runtime: Runtime = request.app.state.gateway.runtime
    by_number = {one.number: one for one in versions(Library(runtime.settings.prompts), name, _uses(runtime))}
    if not by_number:
        raise NotFoundError(f"there is no prompt {name}", "the page of prompts lists what there is")
    shown = by_number.get(version or max(by_number))
    other = by_number.get(against) if against else _previous(by_number, shown)
    if shown is None or (against and other is None):
        raise NotFoundError(
            f"there is no such version of the prompt {name}", f"there is {', '.join(map(str, sorted(by_number)))}"
        )
    changes = None
    if shown.prompt and other and other.prompt:
        changes = [difference(text(other.prompt), text(shown.prompt)) for text in (properties, spoken)]
    return page(
        request, "prompt.html", key, name=name, versions=list(by_number.values()), shown=shown, other=other, changes=changes
    )


def _previous(by_number: dict[int, Version], shown: Version | None) -> Version | None:
    """The newest version before the one that is shown."""
    return next((by_number[n] for n in sorted(by_number, reverse=True) if shown and n < shown.number), None)


def _uses(runtime: Runtime) -> dict[str, Use]:
    """How each prompt was used lately, by its reference."""
    since = (datetime.now(UTC) - RECENT).isoformat(timespec="milliseconds")
    return {use.name: use for use in uses(runtime.engine, "prompt", since)}
