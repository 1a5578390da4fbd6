"""Which response an exception becomes: a problem, an OpenAI error or a page.

Knows the framework's exceptions and whose path was asked. Knows nothing of what an endpoint does.
"""

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from api import openai
from api.body import LARGEST
from api.pages.page import refused
from api.problem import FaultError, InvalidError, ProtocolError, problem
from api.telemetry import metrics
from rag.errors import GroundwireError


def add_handlers(app: FastAPI) -> None:
    """Have the application answer every exception in the shape that its client expects."""
    app.add_exception_handler(GroundwireError, _error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _fault)


async def too_large(request: Request) -> Response:
    """The response to a request whose declared body is too large."""
    return await _http_error(request, HTTPException(413))


async def _error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GroundwireError)
    metrics.observe_refusal(error)
    if openai.is_openai_path(request.url.path):
        return openai.error_response(error)
    return problem(error)


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return await _error(request, GroundwireError(f"the body is not JSON: {first['ctx']['error']}", "mend the JSON"))
    kind = request.headers.get("content-type", "nothing")
    if first["loc"] == ("body",) and first["type"] == "model_attributes_type" and "json" not in kind:
        undeclared = InvalidError(
            f"the body is declared as {kind}, not as JSON", "send the header content-type: application/json"
        )
        return await _error(request, undeclared)
    field = ".".join(str(part) for part in first["loc"][1:]) or "the body"
    return await _error(request, InvalidError(f"{field}: {first['msg']}", "mend that field of the request"))


async def _http_error(request: Request, error: Exception) -> Response:
    """The framework raises these before an endpoint is reached, or while its body is read."""
    assert isinstance(error, HTTPException)
    headers = error.headers or {}
    path = request.url.path
    problem, mend = {
        404: (f"there is no {path}", "GET /openapi.json describes what there is"),
        405: (f"{path} does not take {request.method}", f"it takes {headers.get('Allow', 'other methods')}"),
        413: ("the body is too large", f"send at most {LARGEST} bytes"),
    }.get(
        error.status_code,
        ("the body cannot be read", "send JSON in UTF-8, not nested deeply, with numbers of at most 4,300 digits"),
    )
    refusal = ProtocolError(problem, mend, status=error.status_code, headers=headers)
    if "text/html" not in request.headers.get("accept", ""):
        return await _error(request, refusal)
    lost = ProtocolError(problem, "look at the address again", status=error.status_code, headers=headers)
    return await refused(request, lost if error.status_code == 404 else refusal)


async def _fault(request: Request, error: Exception) -> JSONResponse:
    """A bug: the server's log has the traceback."""
    return await _error(request, FaultError("the server failed", "its log says why"))
