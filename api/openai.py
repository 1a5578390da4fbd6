"""`/v1/chat/completions` and `/v1/models`: the endpoints that OpenAI clients call.

Knows how OpenAI's fields map to ours: `model` names a variant or a rollout. Knows nothing of how a question is answered.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from api.access.authentication import CallerKey, KeyedRoute
from api.access.keys import Key
from api.disconnect import unless_disconnected
from api.events import event_stream
from api.example import TRACE, example
from api.gateway import Gateway, GatewayRequest
from api.logs import trace_id
from api.openai_types import ChatCompletion, ChatCompletionRequest, ChatCompletionStream, ErrorResponse, error_line
from api.problem import CLIENT_CLOSED_REQUEST, STATUS, Problem, documented, events, headers, traced
from rag import variant as variants
from rag.errors import GroundwireError, NotFoundError
from rag.trace import Channel, Outcome

router = APIRouter(prefix="/v1", tags=["openai"], route_class=KeyedRoute)

STREAM_EXAMPLE = """data: {"id":"chatcmpl-0199...","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"24 months [1]."}}]}

data: {"id":"chatcmpl-0199...","object":"chat.completion.chunk","choices":[],"usage":{"total_tokens":107}}

data: [DONE]
"""


class ModelCard(BaseModel):
    """A variant or a rollout, as OpenAI clients list models."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: Literal["groundwire"] = "groundwire"


class ModelList(BaseModel):
    """The models that the caller's key may use."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


@router.get(
    "/models",
    summary="List the models",
    responses={200: {"content": example(ModelList(data=[ModelCard(id="default")]))}, **documented(401, 503, model=ErrorResponse)},
)
def list_models(request: Request, key: CallerKey) -> ModelList:
    """The variants and rollouts that the key may use."""
    return ModelList(data=[ModelCard(id=name) for name in _names(request, key)])


@router.get(
    "/models/{model}",
    summary="Look up a model",
    responses={200: {"content": example(ModelCard(id="default"))}, **documented(401, 404, 422, 503, model=ErrorResponse)},
)
def get_model(model: str, request: Request, key: CallerKey) -> ModelCard:
    """One variant or rollout."""
    if model not in _names(request, key):
        raise NotFoundError(f"model {model} does not exist", "`GET /v1/models` lists what there is")
    return ModelCard(id=model)


def _names(request: Request, key: Key | None) -> list[str]:
    gateway: Gateway = request.app.state.gateway
    names = {*variants.names(gateway.runtime.settings.variants), *gateway.rollouts.names()}
    return sorted(names if key is None or key.models is None else names.intersection(key.models))


@router.post(
    "/chat/completions",
    summary="Answer the last user message",
    response_model=ChatCompletion,
    responses={
        200: {
            "content": events(STREAM_EXAMPLE)
            | example(ChatCompletion.of(TRACE, "default").model_copy(update={"created": 1_758_758_403}))
        },
        **documented(400, 401, 403, 404, 413, 422, 429, 502, 503, 504, model=ErrorResponse),
    },
)
async def create_chat_completion(
    body: ChatCompletionRequest,
    request: Request,
    key: CallerKey,
    x_session_id: Annotated[str | None, Header(max_length=200, description="Used as `user` if that is left out.")] = None,
) -> Response:
    """Answer the last user message from the documents, with the messages before it as history.

    System and developer messages are ignored: the variant has its own prompt.
    """
    body.require_supported()
    history, question = body.conversation()
    gateway: Gateway = request.app.state.gateway
    gateway_request = GatewayRequest(
        question=question,
        channel=Channel.OPENAI,
        model=body.model,
        collection=body.collection,
        history=history,
        where=body.where,
        user=body.safety_identifier or body.user or x_session_id,
        traceparent=request.headers.get("traceparent"),
    )
    if body.stream:
        with_usage = bool(body.stream_options and body.stream_options.include_usage)
        chunks = ChatCompletionStream(body.model, with_usage=with_usage)
        return await event_stream(request, gateway.stream(gateway_request, key), chunks.write, error_line)
    trace = await unless_disconnected(request, gateway.answer(gateway_request, key))
    if trace is None:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    trace_id.set(trace.id)
    if not trace.succeeded:
        return JSONResponse(ErrorResponse.of_trace(trace).model_dump(), STATUS[trace.outcome or Outcome.FAILED], traced(trace.id))
    return JSONResponse(ChatCompletion.of(trace, body.model).model_dump(mode="json"), 200, traced(trace.id))


def is_openai_path(path: str) -> bool:
    """Whether a path belongs to the OpenAI API, so that its errors have OpenAI's shape."""
    return path.startswith(("/v1/chat", "/v1/models"))


def error_response(error: GroundwireError) -> JSONResponse:
    """The response for a failure, in the shape that OpenAI clients expect."""
    return JSONResponse(ErrorResponse.of(error).model_dump(), Problem.of(error).status, headers(error))
