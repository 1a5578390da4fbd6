"""`/login` and `/logout`: the key of a browser.

Knows the form, and where it leads. Knows nothing of how a key is checked or stored.
"""

from asyncio import to_thread
from urllib.parse import parse_qs, urlsplit

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from api.access.authentication import COOKIE, forget, keep, log_unknown_key
from api.access.keys import Keys
from api.pages.page import PageRoute, link, page
from api.telemetry import metrics

router = APIRouter(route_class=PageRoute)

GONE = "The key that this browser kept is not known any more, or was revoked."
FORM_BYTES = 4096
"""The most that is read of the form."""


@router.get("/login")
async def login(request: Request, next: str = "/") -> Response:
    """The form that asks for a key, if the server has keys."""
    keys: Keys = request.app.state.keys
    if not await to_thread(keys.any):
        return RedirectResponse(link(request, "/"), 303)
    kept = request.cookies.get(COOKIE)
    gone = kept is not None and await to_thread(keys.find, kept) is None
    return page(request, "login.html", None, next=next, problem=GONE if gone else None)


@router.post("/login")
async def log_in(request: Request, next: str = "/") -> Response:
    """Store a valid key in a cookie, and go to the page `next`."""
    keys: Keys = request.app.state.keys
    secret = (await _form(request)).get("key", "").strip()
    if await to_thread(keys.find, secret) is None:
        metrics.rejected("unauthorized")
        log_unknown_key(request)
        problem = "That key is not known, or was revoked."
        return page(request, "login.html", None, status=401, next=next, problem=problem)
    response = RedirectResponse(_own_address(request, next), 303)
    keep(secret, request, response)
    return response


@router.post("/logout")
async def log_out(request: Request) -> Response:
    """Delete the cookie, and the conversations in this browser's tabs."""
    response = RedirectResponse(link(request, "/login"), 303, {"Clear-Site-Data": '"storage"'})
    forget(response)
    return response


async def _form(request: Request) -> dict[str, str]:
    """The first value of each field; a form beyond `FORM_BYTES` is cut off."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES:
            break
    fields = parse_qs(body[:FORM_BYTES].decode(errors="replace"))
    return {name: values[0] for name, values in fields.items()}


def _own_address(request: Request, address: str) -> str:
    """The address if it is on this server, otherwise that of the first page."""
    try:
        foreign = bool(urlsplit(address).netloc)
    except ValueError:
        foreign = True
    ours = address.startswith("/") and not address.startswith("//") and "\\" not in address and not foreign
    return address if ours else link(request, "/")
