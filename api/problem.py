"""Failures over HTTP: RFC 9457, `application/problem+json`.

Knows the status of each failure, and which details are only for the operator. Knows no endpoint.
"""

import logging
import math
from collections.abc import Mapping
from typing import Any, Self

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from rag.errors import ConfigurationError, GroundwireError, NotFoundError, StorageError, UpstreamError
from rag.figures import counted
from rag.text.characters import Sound
from rag.trace import Outcome

STATUS = {Outcome.ANSWERED: 200, Outcome.REFUSED: 200, Outcome.FAILED: 502, Outcome.TIMED_OUT: 504}
"""The status of a JSON response, by the outcome of the request."""

CLIENT_CLOSED_REQUEST = 499
"""The status when the client has disconnected; it only appears in logs."""


class InvalidError(GroundwireError):
    """A request with an invalid field."""


class UnauthorizedError(GroundwireError):
    """A request with an unknown key, or without one if the server has keys."""


class ForbiddenError(GroundwireError):
    """A request for something that its key may not use."""


class FaultError(GroundwireError):
    """A bug in the server."""


class ProtocolError(GroundwireError):
    """A request that reaches no endpoint, or whose body cannot be read."""

    def __init__(self, problem: str, mend: str, *, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(problem, mend)
        self.status = status
        self.headers = headers


class BusyError(GroundwireError):
    """A request that may succeed after `retry_after` seconds. `reason` is its label in the metrics: `rate`, `budget`, ..."""

    def __init__(self, problem: str, mend: str | None = None, *, retry_after: float, reason: str = "busy") -> None:
        super().__init__(problem, mend or f"ask again in {counted(_whole(retry_after), 'second')}")
        self.retry_after = retry_after
        self.reason = reason


class ClosingError(BusyError):
    """A request that arrived while the server shuts down; another replica may answer it."""


class UnreadyError(BusyError):
    """A server that cannot answer questions at present; why is for its log."""


class LateError(BusyError):
    """A request that waited so long for a slot that its answer could no longer be in time."""


class Problem(BaseModel):
    """What went wrong, and how to fix it."""

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
        """The problem of a failure. Details that only the operator can act on go to the log instead."""
        for kind, title in _OPERATOR_ONLY.items():
            if isinstance(error, kind):
                logging.getLogger("groundwire").error("%s", error)
                return cls(title=title, detail="the server's log says why", status=_status(error))
        return cls(title=error.problem, detail=error.mend, status=_status(error))


_OPERATOR_ONLY = {
    ConfigurationError: "this is not set up correctly",
    StorageError: "the server's storage cannot be used at present",
}
_STATUS = {
    InvalidError: 422,
    UnauthorizedError: 401,
    ForbiddenError: 403,
    ClosingError: 503,
    UnreadyError: 503,
    LateError: 503,
    BusyError: 429,
    FaultError: 500,
    ConfigurationError: 500,
    StorageError: 503,
    NotFoundError: 404,
}


def headers(error: GroundwireError) -> dict[str, str]:
    """The headers of a failure's response."""
    if isinstance(error, ProtocolError):
        return dict(error.headers)
    if isinstance(error, UnauthorizedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, BusyError):
        return {"Retry-After": str(_whole(error.retry_after))}
    return {}


def _whole(seconds: float) -> int:
    """As `Retry-After` has them: at least one."""
    return max(1, math.ceil(seconds))


def _status(error: GroundwireError) -> int:
    """The status by the type of the error: 502 or 504 for a model's failure, and 400 for any type that is not listed."""
    if isinstance(error, UpstreamError):
        return 504 if error.timed_out else 502
    if isinstance(error, ProtocolError):
        return error.status
    return next((status for kind, status in _STATUS.items() if isinstance(error, kind)), 400)


def problem(error: GroundwireError) -> JSONResponse:
    """The failure as a response."""
    body = Problem.of(error)
    return JSONResponse(body.model_dump(), body.status, headers(error), media_type="application/problem+json")


def traced(id: str) -> dict[str, str]:
    """The headers that name a response's trace. OpenAI clients read the first."""
    return {"X-Request-Id": id, "X-Groundwire-Trace": id}


DESCRIPTIONS = {
    400: "The request is not valid.",
    401: "No valid key.",
    403: "Not allowed for this key.",
    404: "It does not exist.",
    413: "The body is too large.",
    422: "A field is not valid.",
    429: "Too many requests, or today's budget is spent: retry as `Retry-After` says.",
    502: "The model failed.",
    503: "The server cannot read its documents, is closing, or could not begin in time.",
    504: "A deadline passed.",
}
"""The description of each status in the OpenAPI document."""


def documented(*statuses: int, model: type[BaseModel] | None = None) -> dict[int | str, dict[str, Any]]:
    """The failures of an endpoint for OpenAPI: problems, or JSON of the type `model`."""
    problem = {"application/problem+json": {"schema": Problem.model_json_schema()}}
    shape: dict[str, Any] = {"model": model} if model else {"content": problem}
    return {status: {"description": DESCRIPTIONS[status], **shape} for status in statuses}


def events(example: str) -> dict[str, Any]:
    """A stream of server-sent events for OpenAPI. Version 3.1 cannot describe one by a schema, hence the example."""
    return {"text/event-stream": {"example": example}}
