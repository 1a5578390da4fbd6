"""`/v1/chat/completions` and `/v1/models`: the doors that every chat client knows.

Knows where ours goes in OpenAI's format: `model` names a variant or a rollout. Knows nothing of how a question is answered.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from api.access.authentication import Shown
from api.access.keys import Key
from api.disconnect import unless_disconnected
from api.events import event_stream
from api.example import TRACE, example
from api.gateway import Asked, Gateway
from api.problem import CLIENT_CLOSED_REQUEST, STATUS, Problem, documented, events, headers, traced
from api.wire import ANSWERED, Chunks, Completed, Completing, Failure, failed
from rag import variant as variants
from rag.errors import GroundwireError, NotFoundError
from rag.trace import Channel, Outcome

router = APIRouter(prefix="/v1", tags=["openai"])

CHUNKS = """data: {"id":"chatcmpl-0199...","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"24 months [1]."}}]}

data: {"id":"chatcmpl-0199...","object":"chat.completion.chunk","choices":[],"usage":{"total_tokens":107}}

data: [DONE]
"""


class Model(BaseModel):
    """A variant or a rollout, as OpenAI's clients list models."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["groundwire"] = "groundwire"


class Models(BaseModel):
    """All of them that the caller may ask."""

    object: Literal["list"] = "list"
    data: list[Model]


@router.get(
    "/models",
    summary="List the models",
    responses={200: {"content": example(Models(data=[Model(id="default")]))}, **documented(401, 503, model=Failure)},
)
def models(request: Request, key: Shown) -> Models:
    """The variants and rollouts that the key may ask."""
    return Models(data=[Model(id=name) for name in _names(request, key)])


@router.get(
    "/models/{model}",
    summary="Look up a model",
    responses={200: {"content": example(Model(id="default"))}, **documented(401, 404, 422, 503, model=Failure)},
)
def model(model: str, request: Request, key: Shown) -> Model:
    """One variant or rollout."""
    if model not in _names(request, key):
        raise NotFoundError(f"model {model} does not exist", "`GET /v1/models` lists what there is")
    return Model(id=model)


def _names(request: Request, key: Key | None) -> list[str]:
    gateway: Gateway = request.app.state.gateway
    names = {*variants.names(gateway.runtime.settings.variants), *gateway.rollouts.names()}
    return sorted(names if key is None or key.models is None else names.intersection(key.models))


@router.post(
    "/chat/completions",
    summary="Answer the last user message",
    response_model=Completed,
    responses={
        200: {"content": events(CHUNKS) | example(Completed.of(TRACE, "default").model_copy(update={"created": 1_758_758_403}))},
        **documented(400, 401, 403, 404, 413, 422, 429, 502, 503, 504, model=Failure),
    },
)
async def complete(
    completing: Completing,
    request: Request,
    key: Shown,
    x_session_id: Annotated[str | None, Header(max_length=200, description="As `user`, where that is left out.")] = None,
) -> Response:
    """Answer the last user message from the documents, with the messages before it as the history.

    Messages of the system and the developer are not used: the variant has its own prompt.
    """
    completing.require_answerable()
    history, question = completing.conversation()
    gateway: Gateway = request.app.state.gateway
    asked = Asked(
        question=question,
        channel=Channel.OPENAI,
        model=completing.model,
        collection=completing.collection,
        history=history,
        where=completing.where,
        user=completing.safety_identifier or completing.user or x_session_id,
        traceparent=request.headers.get("traceparent"),
    )
    if completing.stream:
        with_usage = bool(completing.stream_options and completing.stream_options.include_usage)
        chunks = Chunks(completing.model, with_usage=with_usage)
        return await event_stream(request, gateway.stream(asked, key), chunks.write, failed)
    trace = await unless_disconnected(request, gateway.answer(asked, key))
    if trace is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    if trace.outcome not in ANSWERED:
        return JSONResponse(Failure.ended(trace).model_dump(), STATUS[trace.outcome or Outcome.FAILED], traced(trace.id))
    return JSONResponse(Completed.of(trace, completing.model).model_dump(mode="json"), 200, traced(trace.id))


def speaks(path: str) -> bool:
    """Whether a path is one of OpenAI's, and so its errors are."""
    return path.startswith(("/v1/chat", "/v1/models"))


def failure(error: GroundwireError) -> JSONResponse:
    """A failure as the OpenAI clients read it."""
    return JSONResponse(Failure.of(error).model_dump(), Problem.of(error).status, headers(error))
