"""Who is calling: the key of a request.

Knows the header, the cookie of the pages, and how they are described in OpenAPI. Knows nothing of what a key may use.
"""

import ipaddress
import logging
from asyncio import to_thread
from collections.abc import Callable, Coroutine
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from fastapi.openapi.models import HTTPBearer
from fastapi.routing import APIRoute
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
    """A FastAPI dependency: the key of a request, or null if the server has no keys."""

    scheme_name = "key"
    model = HTTPBearer(bearerFormat="gw_ID_SECRET", description="A key that `api keys create` printed.")

    async def __call__(self, request: Request) -> Key | None:
        """The key. Raises `UnauthorizedError` if the server has keys, and the request has no valid one."""
        if await recognized(request):
            key: Key | None = request.state.key
            if key is None:
                _require_this_machine(request)
            return key
        metrics.rejected("unauthorized")
        if presented_secret(request) is None:
            raise UnauthorizedError("the request shows no key", "send one as in `Authorization: Bearer gw_...`")
        log_unknown_key(request)
        raise UnauthorizedError("the key is not known, or was revoked", "`api keys create NAME` makes another one")


caller = Caller()


class KeyedRoute(APIRoute):
    """A route that looks at the key before it reads the body: who may not ask is not listened to."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            request.state.key = await caller(request)
            return await handle(request)

        return handler


CallerKey = Annotated[Key | None, Depends(caller)]
"""The type of an endpoint's parameter: the key of the request."""


async def recognized(request: Request) -> bool:
    """Whether it is known who calls: then `request.state.key` is the key, null on a server without keys. Refuses nobody."""
    if hasattr(request.state, "key"):
        return True
    keys: Keys = request.app.state.keys
    secret = presented_secret(request)
    key = None
    if secret is not None:
        key = keys.find(secret) if keys.fresh(secret) else await to_thread(keys.find, secret)
    if key is None and (keys.any() if keys.fresh(None) else await to_thread(keys.any)):
        return False
    request.state.key = key
    return True


def trace_scope(key: Key | None) -> str | None:
    """The id of the key whose traces the caller may see; null if it may see all."""
    return None if key is None or key.admin else key.id


def presented_secret(request: Request) -> str | None:
    """The secret in the `Authorization` header. Without that header it is the cookie's, if one of our own pages sends it."""
    header = request.headers.get("authorization")
    if header is None:
        return request.cookies.get(COOKIE) if from_our_pages(request) else None
    scheme, secret = get_authorization_scheme_param(header)
    return secret if scheme.lower() == "bearer" else ""


def log_unknown_key(request: Request) -> None:
    """Tell operators who guesses keys, or still uses one that was revoked; never which."""
    address = request.client.host if request.client else "a socket"
    message = "%s %s from %s: the key is not known, or was revoked"
    logging.getLogger("groundwire").warning(message, request.method, request.url.path, address)


def from_our_pages(request: Request) -> bool:
    """Whether a request that changes something comes from our own origin. `SameSite` cookies allow other ports of this host.

    `Sec-Fetch-Site` also works behind a proxy that changes the host, but browsers send it only over TLS and to loopback.
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
    """Raises `ForbiddenError` if a server without keys is asked by a host name other than loopback (DNS rebinding).

    A page of any site can let its own name point to this machine, and would then have the same origin as our pages.
    """
    host = request.url.hostname or ""
    if not _loopback(host):
        raise ForbiddenError(f"a server without keys answers this machine only, not {host}", "`api keys create NAME` makes a key")


def keep(secret: str, request: Request, response: Response) -> None:
    """Store a key in a session cookie, which no script can read."""
    response.set_cookie(COOKIE, secret, httponly=True, samesite="strict", secure=request.url.scheme == "https")


def forget(response: Response) -> None:
    """Delete the cookie."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")


def require_keys(host: str, keys: Keys) -> bool:
    """Whether a server that is bound to `host` asks for keys: always, once a key was created.

    Raises `GroundwireError` if there is no key, and other machines could reach the server.
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
