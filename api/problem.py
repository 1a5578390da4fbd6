"""How a failure looks over HTTP: RFC 9457, `application/problem+json`.

Knows which status a failure has. Knows no endpoint.
"""

from fastapi.responses import JSONResponse

from rag.errors import GroundwireError, UpstreamError
from rag.trace import Outcome


def status_of(error: GroundwireError) -> int:
    """404 for what does not exist, 502 and 504 for what is behind us, 400 for what was asked wrongly."""
    if isinstance(error, UpstreamError):
        return 504 if error.timed_out else 502
    return 404 if "does not exist" in error.problem else 400


def problem(error: GroundwireError) -> JSONResponse:
    """The failure as a problem document: what is wrong is the title, how to mend it the detail."""
    status = status_of(error)
    body = {"title": error.problem, "detail": error.mend, "status": status}
    return JSONResponse(body, status, media_type="application/problem+json")


STATUS = {Outcome.ANSWERED: 200, Outcome.REFUSED: 200, Outcome.FAILED: 502, Outcome.TIMED_OUT: 504}
"""Of a JSON response, by the outcome of the request."""

CLIENT_CLOSED_REQUEST = 499
"""For the log: nobody reads it."""
