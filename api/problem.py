"""How a failure looks over HTTP: RFC 9457, `application/problem+json`.

Knows which status a failure has, and what of it is for strangers. Knows no endpoint.
"""

import logging
from typing import Self

from fastapi.responses import JSONResponse
from pydantic import BaseModel

from rag.errors import GroundwireError, NotFoundError, StorageError, UpstreamError
from rag.trace import Outcome

STATUS = {Outcome.ANSWERED: 200, Outcome.REFUSED: 200, Outcome.FAILED: 502, Outcome.TIMED_OUT: 504}
"""Of a JSON response, by the outcome of the request."""

CLIENT_CLOSED_REQUEST = 499
"""For the log: nobody reads it."""


class InvalidError(GroundwireError):
    """A request out of shape."""


class Problem(BaseModel):
    """What is wrong, and how to mend it."""

    title: str
    detail: str
    status: int

    @classmethod
    def of(cls, error: GroundwireError) -> Self:
        """The failure as a problem. What only the operator can mend, and its paths, go to the log."""
        if isinstance(error, StorageError):
            logging.getLogger("groundwire").error("%s", error)
            return cls(title="the documents cannot be read at present", detail="the server's log says why", status=_status(error))
        return cls(title=error.problem, detail=error.mend, status=_status(error))


def _status(error: GroundwireError) -> int:
    """404 for what is not there, 422 for a wrong shape, 400 for what is asked wrongly otherwise; 502 and 504 for what is behind us,
    503 for our own storage.
    """
    if isinstance(error, UpstreamError):
        return 504 if error.timed_out else 502
    if isinstance(error, StorageError):
        return 503
    if isinstance(error, InvalidError):
        return 422
    return 404 if isinstance(error, NotFoundError) else 400


def problem(error: GroundwireError) -> JSONResponse:
    """The failure as a response."""
    told = Problem.of(error)
    return JSONResponse(told.model_dump(), told.status, media_type="application/problem+json")
