"""Failures of a Weaviate node: those that pass once it is back, and those that people must mend.

Knows what the client raises, and what servers answer. Knows nothing of what was asked of them.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator

import grpc
import httpx
from weaviate.exceptions import (
    InsufficientPermissionsError,
    UnexpectedStatusCodeError,
    WeaviateBaseError,
    WeaviateConnectionError,
    WeaviateQueryError,
    WeaviateStartUpError,
    WeaviateTimeoutError,
)

from rag.errors import ConfigurationError, GroundwireError, StorageError
from rag.stores.weaviate.address import CERTIFICATES, KEY, Node

_GONE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
_UNAUTHORISED = "extract auth: unauthorized"
"""Part of the answer to a wrong key, which comes without the status code for it."""
_PASSING = re.compile(
    r"consistency level|enough replicas|connection (?:re|is closing)|no such host|broken pipe|\bEOF\b|time-?out|deadline exceeded"
    r"|context canceled|leader|unavailable|shutting down|shutdown|not ready|maintenance",
    re.IGNORECASE,
)
"""What a node reports when it, or another one, is starting, stopping or gone."""
_LONGEST_REASON = 300
"""Characters of a server's message that are shown."""


class UnavailableError(Exception):
    """A failure that passes once the node is back or another has taken its place.

    `lasting` is the error to raise if retrying never helps.
    """

    def __init__(self, reason: str, lasting: GroundwireError | None = None) -> None:
        super().__init__(reason)
        self.lasting = lasting


class FailFast(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]
    """Raises at once if a node is gone: the client would retry it for a minute, while others could answer."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def intercept_unary_unary(self, continuation: Callable[..., grpc.Call], details: object, request: object) -> grpc.Call:
        call = continuation(details, request)
        if call.code() in _GONE:
            raise UnavailableError(call.details() or call.code().name)
        if call.code() == grpc.StatusCode.UNAUTHENTICATED or _UNAUTHORISED in str(call.details()):
            raise unauthorised(self._node)
        return call


@contextlib.contextmanager
def translated(node: Node) -> Iterator[None]:
    """Translate the client's errors into `UnavailableError` if they may pass, else into a `GroundwireError` that says
    how to mend them.
    """
    try:
        yield
    except (GroundwireError, UnavailableError):
        raise
    except (OSError, httpx.TransportError, WeaviateConnectionError, WeaviateTimeoutError, WeaviateStartUpError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            mend = f"set {CERTIFICATES} to a file with the certificate of the authority that signed it"
            raise ConfigurationError(f"the certificate of Weaviate at {node} is not trusted ({error})", mend) from error
        raise UnavailableError(f"{node}: {error}") from error
    except WeaviateBaseError as error:
        reason = _reason(error)
        code = error.status_code if isinstance(error, UnexpectedStatusCodeError) else 0
        if code in (401, 403) or isinstance(error, InsufficientPermissionsError):
            raise unauthorised(node) from error
        if code in (429, *range(500, 600)) or passing(reason):
            raise UnavailableError(reason) from error
        mend = "`rag index list` shows what is there, `rag index rebuild --collection NAME` makes it anew"
        raise StorageError(f"Weaviate at {node} refused ({reason})", mend) from error


def passing(reason: str) -> bool:
    """Whether a server's message describes a failure that is likely to pass soon."""
    return _PASSING.search(reason) is not None


def unauthorised(node: Node) -> ConfigurationError:
    """The error for a server that rejects the key, or requires one."""
    state = "is not accepted by" if os.environ.get(KEY) else "is not set, but asked for by"
    return ConfigurationError(f"{KEY} {state} Weaviate at {node}", f"set {KEY} to a key that may read and write there")


def _reason(error: WeaviateBaseError) -> str:
    """The server's message in one line, without the call that the client adds to it."""
    call = error.__context__
    message = (
        call.details() if isinstance(call, grpc.Call) else error.message if isinstance(error, WeaviateQueryError) else str(error)
    )
    return " ".join(str(message).split())[:_LONGEST_REASON]
