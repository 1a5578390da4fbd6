"""How a failure looks over HTTP: RFC 9457, `application/problem+json`.

Knows which status a failure has, and what of it is for strangers. Knows no endpoint.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any, Self

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from rag.errors import ConfigurationError, GroundwireError, NotFoundError, StorageError, UpstreamError
from rag.text.characters import Sound
from rag.trace import Outcome

STATUS = {Outcome.ANSWERED: 200, Outcome.REFUSED: 200, Outcome.FAILED: 502, Outcome.TIMED_OUT: 504}
"""Of a JSON response, by the outcome of the request."""

CLIENT_CLOSED_REQUEST = 499
"""For the log: nobody reads it."""


class InvalidError(GroundwireError):
    """A request out of shape."""


class UnauthorizedError(GroundwireError):
    """A request without a key, where one is needed, or with one that is not known."""


class ForbiddenError(GroundwireError):
    """A request for what its key may not use."""


class FaultError(GroundwireError):
    """A failure that is nobody's fault but the server's."""


class ProtocolError(GroundwireError):
    """A request that reaches no endpoint, or whose body none can read."""

    def __init__(self, problem: str, mend: str, *, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(problem, mend)
        self.status = status
        self.headers = headers


class BusyError(GroundwireError):
    """A request that could be answered later: `retry_after` seconds from now. `reason` says in a word what there is too much of."""

    def __init__(self, problem: str, mend: str, *, retry_after: float, reason: str = "busy") -> None:
        super().__init__(problem, mend)
        self.retry_after = retry_after
        self.reason = reason


class ClosingError(BusyError):
    """A request that came while the server ends: another process, or the next one here, may take it."""


class LateError(BusyError):
    """A request that has waited for so long that it could not be answered in its time any more."""


class Problem(BaseModel):
    """What is wrong, and how to mend it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"title": "variant nope does not exist", "detail": "there are careful, default", "status": 404},
        }
    )

    title: Sound
    detail: Sound
    status: int

    @classmethod
    def of(cls, error: GroundwireError) -> Self:
        """The failure as a problem. What only the operator can mend, and its paths, go to the log."""
        for kind, title in _NOT_FOR_STRANGERS.items():
            if isinstance(error, kind):
                logging.getLogger("groundwire").error("%s", error)
                return cls(title=title, detail="the server's log says why", status=_status(error))
        return cls(title=error.problem, detail=error.mend, status=_status(error))


_NOT_FOR_STRANGERS = {
    ConfigurationError: "this is not set up correctly",
    StorageError: "the documents cannot be read at present",
}
_STATUS = {
    InvalidError: 422,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    ClosingError: 503,
    LateError: 503,
    BusyError: 429,
    FaultError: 500,
    ConfigurationError: 500,
    StorageError: 503,
    NotFoundError: 404,
}


def headers(error: GroundwireError) -> dict[str, str]:
    """What a failure's response tells besides its body."""
    if isinstance(error, ProtocolError):
        return dict(error.headers)
    if isinstance(error, UnauthorizedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, BusyError):
        return {"Retry-After": str(max(1, math.ceil(error.retry_after)))}
    return {}


def _status(error: GroundwireError) -> int:
    """As the kind of error says: 502 and 504 for what is behind us, 400 for what is asked wrongly otherwise."""
    if isinstance(error, UpstreamError):
        return 504 if error.timed_out else 502
    if isinstance(error, ProtocolError):
        return error.status
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def problem(error: GroundwireError) -> JSONResponse:
    """The failure as a response."""
    told = Problem.of(error)
    return JSONResponse(told.model_dump(), told.status, headers(error), media_type="application/problem+json")


def traced(id: str) -> dict[str, str]:
    """The headers of a response that left a trace. Clients of OpenAI read the first."""
    return {"X-Request-Id": id, "X-Groundwire-Trace": id}


MEANING = {
    400: "It is asked wrongly.",
    401: "No valid key.",
    403: "Not for this key.",
    404: "It does not exist.",
    413: "The body is too large.",
    422: "A field is out of shape.",
    429: "Too much at once, or of today's budget: later, as `Retry-After` says.",
    502: "The model failed.",
    503: "The server cannot read its documents, is closing, or could not begin in time.",
    504: "A deadline passed.",
}
"""Of each status that is a failure."""


def documented(*statuses: int, model: type[BaseModel] | None = None) -> dict[int | str, dict[str, Any]]:
    """The failures of an endpoint, for OpenAPI: problems, or JSON of another shape."""
    problem = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    shape: dict[str, Any] = {"model": model} if model else {"content": problem}
    return {status: {"description": MEANING[status], **shape} for status in statuses}


def events(example: str) -> dict[str, Any]:
    """A stream of server-sent events, for OpenAPI 3.1, whose schemas do not describe one."""
    return {"text/event-stream": {"example": example}}
