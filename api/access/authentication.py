"""Who is calling, by the key that a request shows.

Knows the header, the cookie of the pages and how both look in OpenAPI. Knows nothing of what a key may use.
"""

import ipaddress
from asyncio import to_thread
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase
from fastapi.security.utils import get_authorization_scheme_param

from api.access.keys import Key, Keys
from api.problem import ForbiddenError, UnauthorizedError
from api.telemetry import metrics
from rag.errors import GroundwireError

COOKIE = "groundwire_key"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing (RFC 9110, section 9.2.1)."""


class Caller(SecurityBase):
    """A FastAPI dependency: the key of a request, or null where the server runs without keys."""

    scheme_name = "key"
    model = HTTPBearer(bearerFormat="gw_ID_SECRET", description="A key that `api keys create` printed.")

    async def __call__(self, request: Request) -> Key | None:
        """Raises `UnauthorizedError` where keys exist and the request shows none that is good."""
        keys: Keys = request.app.state.keys
        secret = shown(request)
        if secret is not None:
            key = keys.find(secret) if keys.fresh(secret) else await to_thread(keys.find, secret)
            if key:
                return key
        if not (keys.any() if keys.fresh(None) else await to_thread(keys.any)):
            _require_this_machine(request)
            return None
        metrics.rejected("unauthorized")
        if secret is None:
            raise UnauthorizedError("the request shows no key", "send one as in `Authorization: Bearer gw_...`")
        raise UnauthorizedError("the key is not known, or was revoked", "`api keys create NAME` makes another one")


caller = Caller()
Shown = Annotated[Key | None, Depends(caller)]
"""What an endpoint takes: the key of its request."""


def visible(key: Key | None) -> str | None:
    """The id of the key whose traces the caller may see; null where it may see all."""
    return None if key is None or key.admin else key.id


def shown(request: Request) -> str | None:
    """The secret in the `Authorization` header; without that header, in the cookie, if one of our own pages sends it."""
    header = request.headers.get("authorization")
    if header is None:
        return request.cookies.get(COOKIE) if from_our_pages(request) else None
    scheme, secret = get_authorization_scheme_param(header)
    return secret if scheme.lower() == "bearer" else ""


def from_our_pages(request: Request) -> bool:
    """Whether what changes something was sent by our own origin, as browsers say; `SameSite` lets in other ports of this host.

    `Sec-Fetch-Site` tells it also behind a proxy that changes the host, but is sent over TLS and to loopback only.
    """
    if request.method in SAFE:
        return True
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    return _netloc(request.headers.get("origin", "")) == request.headers.get("host")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _require_this_machine(request: Request) -> None:
    """Raises `ForbiddenError` where an open server is asked by another name than this machine's own: a page of any site can have its
    own name point here, and would then be of the same origin (DNS rebinding).
    """
    host = request.url.hostname or ""
    if not _loopback(host):
        raise ForbiddenError(f"a server without keys answers this machine only, not {host}", "`api keys create NAME` makes a key")


def keep(secret: str, request: Request, response: Response) -> None:
    """Have the browser send a key with what our pages ask, until it is closed; no script can read it."""
    response.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=request.url.scheme == "https")


def forget(response: Response) -> None:
    """Have the browser send the key no more."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def require_keys(host: str, keys: Keys) -> bool:
    """Whether a server that is bound to `host` asks for keys: it always does once one was created.

    Raises `GroundwireError` where there is none, and others than this machine could reach the server.
    """
    if keys.any():
        return True
    if not _loopback(host):
        raise GroundwireError(
            f"without a key the server would answer everyone who reaches {host}",
            "make one with `api keys create NAME`, or bind to 127.0.0.1",
        )
    return False


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
