"""A provider of LLMs on loopback that answers as it is told to: well, late, wrongly, or only half.

Speaks OpenAI's `/v1/chat/completions` and Anthropic's `/v1/messages`, streamed and not. Knows nothing of the code that calls it.
"""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from prompts.encoding import encoding

End = Literal["finish", "cut", "drop", "malformed", "error"]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """How one request is answered. Delays are seconds.

    `end` is what follows the last piece: `finish` properly, `cut` the connection in the middle of the stream, `drop` the rest but end
    the response cleanly, send a `malformed` chunk, or an `error` event.
    """

    pieces: tuple[str, ...] = ("It is ", "forty", "-two [1].")
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "scripted failure"
    before: float = 0.0
    """Until anything at all is sent."""
    held: bool = False
    """Nothing is sent before `Provider.let_go`."""
    first: float = 0.0
    """Between the response's head and the first piece."""
    between: float = 0.0
    """Between pieces."""
    end: End = "finish"
    finish_reason: str = "stop"
    prompt: int = 100
    completion: int = 7
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0
    usage: bool = True
    """Whether the provider says what it billed."""


def failure(status: int, message: str = "scripted failure", **headers: str) -> Reply:
    """A refusal with that HTTP status; `retry_after="2"` sends `Retry-After: 2`."""
    return Reply(status=status, message=message, headers={name.replace("_", "-"): value for name, value in headers.items()})


@dataclass(frozen=True, kw_only=True)
class Bill:
    """What the provider charges for one call: tokens, `prompt` and `completion` including the kinds within them."""

    model: str
    prompt: int
    completion: int
    cached: int = 0
    cache_written: int = 0
    reasoning: int = 0


@dataclass
class Call:
    """One request as it was received, and what became of it."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    at: float
    """Seconds, by `time.monotonic`."""
    held: bool = False
    """Its reply waits to be let go."""
    sent: int = 0
    """Pieces."""
    ended: bool = False
    """The reply was sent to its scripted end."""
    disconnected: bool = False
    """The client left before that."""
    bill: Bill | None = None
    """What was generated is charged, whether anybody read it or not; a refusal is not."""

    @property
    def under_way(self) -> bool:
        return not (self.ended or self.disconnected)

    @property
    def text(self) -> str:
        """All messages of an OpenAI request."""
        return "\n".join(message["content"] for message in self.body["messages"])


class Provider:
    """`with Provider() as provider: provider.script(failure(429, retry_after="1"), Reply())`.

    One reply a request, in the order of their arrival, the last for all that follow; without a script, a plain `Reply`. `play` has
    a reply for each call. Both start over: they let earlier calls go and forget them.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._play: Callable[[Call], Reply] = lambda _: Reply()
        self._at_once: int | None = None
        self._released = threading.Event()
        application = Starlette(
            routes=[
                Route("/v1/chat/completions", self._openai, methods=["POST"]),
                Route("/v1/messages", self._anthropic, methods=["POST"]),
            ]
        )
        self._server = uvicorn.Server(
            uvicorn.Config(application, port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the provider did not start")
            time.sleep(0.005)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.let_go()
        self._server.should_exit = True
        self._thread.join()

    @property
    def url(self) -> str:
        """For `ANTHROPIC_BASE_URL`; `OPENAI_BASE_URL` wants `/v1` after it."""
        host, port = self._server.servers[0].sockets[0].getsockname()
        return f"http://{host}:{port}"

    @property
    def ledger(self) -> list[Bill]:
        """All that was charged since the last script."""
        return [call.bill for call in self.calls if call.bill]

    @property
    def environment(self) -> dict[str, str]:
        """What points both SDKs here."""
        return {
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "OPENAI_API_KEY": "sk-loopback-openai",
            "ANTHROPIC_BASE_URL": self.url,
            "ANTHROPIC_API_KEY": "sk-loopback-anthropic",
        }

    def script(self, *replies: Reply) -> None:
        left = list(replies) or [Reply()]
        self.play(lambda _: left.pop(0) if len(left) > 1 else left[0])

    def play(self, reply: Callable[[Call], Reply], at_once: int | None = None) -> None:
        """`at_once`: more calls than so many at the same time are refused with 429 and `Retry-After`."""
        self.let_go()
        self.calls, self._released = [], threading.Event()
        self._play, self._at_once = reply, at_once

    def let_go(self) -> None:
        """Answer what is held; nothing is held from now on."""
        self._released.set()

    async def holds(self, calls: int, seconds: float = 60.0) -> None:
        """Wait until the replies of so many calls are held."""
        async with asyncio.timeout(seconds):
            while sum(call.held for call in self.calls) < calls:
                await asyncio.sleep(0.005)

    async def settled(self, seconds: float = 30.0) -> None:
        """Wait until every call has ended or its client has been seen to leave."""
        async with asyncio.timeout(seconds):
            while any(call.under_way for call in self.calls):
                await asyncio.sleep(0.005)

    async def _received(self, request: Request) -> tuple[Call, Reply]:
        call = Call(request.url.path, dict(request.headers), await request.json(), time.monotonic())
        self.calls.append(call)
        if self._at_once is not None and sum(call.under_way for call in self.calls) > self._at_once:
            return call, failure(429, "too many at once", retry_after="0.1")
        return call, self._play(call)

    async def _openai(self, request: Request) -> Response:
        call, reply = await self._received(request)
        body = {"error": {"message": reply.message, "type": "scripted", "code": None, "param": None}}
        return await _respond(request, call, reply, self._released, body, _openai_whole(call, reply), _openai_events(call, reply))

    async def _anthropic(self, request: Request) -> Response:
        call, reply = await self._received(request)
        body = {"type": "error", "error": {"type": "scripted", "message": reply.message}}
        return await _respond(
            request, call, reply, self._released, body, _anthropic_whole(call, reply), _anthropic_events(call, reply)
        )


async def _left(request: Request, seconds: float) -> bool:
    """Wait; whether the client left meanwhile."""
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return False
    return True


async def _left_before(request: Request, call: Call, reply: Reply, released: threading.Event) -> bool:
    """Wait until the reply is due; whether the client left meanwhile."""
    left = bool(reply.before) and await _left(request, reply.before)
    call.held = reply.held and not left
    while call.held and not released.is_set():
        left = await _left(request, 0.01)
        call.held = not left
    call.held = False
    return left


async def _respond(
    request: Request,
    call: Call,
    reply: Reply,
    released: threading.Event,
    error: object,
    whole: object,
    events: AsyncIterator[str],
) -> Response:
    if await _left_before(request, call, reply, released):
        call.disconnected = True
        call.bill = _cut_short(call, reply)
        return Response(status_code=499)
    if reply.status != 200:
        call.ended = True
        return JSONResponse(error, reply.status, dict(reply.headers))
    if not call.body.get("stream"):
        call.ended = True
        call.bill = _in_full(call, reply)
        return JSONResponse(whole, headers=dict(reply.headers))
    return _Stream(call, reply, events)


def _in_full(call: Call, reply: Reply) -> Bill:
    kinds = {"cached": reply.cached, "cache_written": reply.cache_written, "reasoning": reply.reasoning}
    return Bill(model=call.body["model"], prompt=reply.prompt, completion=reply.completion, **kinds)


def _cut_short(call: Call, reply: Reply) -> Bill:
    generated = encoding().encode_ordinary("".join(reply.pieces[: call.sent]))
    return Bill(model=call.body["model"], prompt=reply.prompt, completion=len(generated))


class _Stream(StreamingResponse):
    """The events of a reply, and what becomes of its call, also where the client has left before the first."""

    def __init__(self, call: Call, reply: Reply, events: AsyncIterator[str]) -> None:
        super().__init__(self._sent(events), media_type="text/event-stream", headers=dict(reply.headers))
        self._call, self._reply = call, reply

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            if not self._call.ended:
                self._call.bill = _cut_short(self._call, self._reply)
                self._call.disconnected = True

    async def _sent(self, events: AsyncIterator[str]) -> AsyncIterator[str]:
        try:
            async for event in events:
                yield event
        except ConnectionAbortedError:
            self._end()
            raise
        self._end()

    def _end(self) -> None:
        bill = _in_full if self._reply.end == "finish" else _cut_short
        self._call.bill = bill(self._call, self._reply)
        self._call.ended = True


async def _paced(call: Call, reply: Reply) -> AsyncIterator[str]:
    await asyncio.sleep(reply.first)
    for piece in reply.pieces:
        if call.sent:
            await asyncio.sleep(reply.between)
        call.sent += 1
        yield piece


def _cut() -> None:
    raise ConnectionAbortedError("scripted: cut in the middle of the stream")


def _event(data: object, name: str | None = None) -> str:
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(data)}\n\n"


def _openai_usage(reply: Reply) -> dict[str, Any]:
    return {
        "prompt_tokens": reply.prompt,
        "completion_tokens": reply.completion,
        "total_tokens": reply.prompt + reply.completion,
        "prompt_tokens_details": {"cached_tokens": reply.cached},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning},
    }


def _openai_whole(call: Call, reply: Reply) -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(reply.pieces)}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": call.body["model"],
        "choices": [choice],
        "usage": _openai_usage(reply) if reply.usage else None,
    }


async def _openai_events(call: Call, reply: Reply) -> AsyncIterator[str]:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 0, "model": call.body["model"]}

    def chunk(delta: dict[str, str], finish_reason: str | None = None) -> str:
        return _event({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]})

    yield chunk({"role": "assistant", "content": ""})
    async for piece in _paced(call, reply):
        yield chunk({"content": piece})
    match reply.end:
        case "cut":
            _cut()
        case "malformed":
            yield 'data: {"id": "chatcmpl-1", "choices": [{"delta": {"cont\n\n'
        case "error":
            yield _event({"error": {"message": reply.message, "type": "server_error"}})
        case "finish":
            yield chunk({}, reply.finish_reason)
            if reply.usage and call.body.get("stream_options", {}).get("include_usage"):
                yield _event({**head, "choices": [], "usage": _openai_usage(reply)})
            yield "data: [DONE]\n\n"


def _anthropic_usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.prompt - reply.cached - reply.cache_written,
        "cache_read_input_tokens": reply.cached,
        "cache_creation_input_tokens": reply.cache_written,
        "output_tokens": reply.completion,
    }


def _anthropic_whole(call: Call, reply: Reply) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": call.body["model"],
        "content": [{"type": "text", "text": "".join(reply.pieces)}],
        "stop_reason": _stop_reason(reply),
        "stop_sequence": None,
        "usage": _anthropic_usage(reply),
    }


def _stop_reason(reply: Reply) -> str:
    return {"stop": "end_turn", "length": "max_tokens"}.get(reply.finish_reason, reply.finish_reason)


async def _anthropic_events(call: Call, reply: Reply) -> AsyncIterator[str]:
    def event(name: str, **fields: object) -> str:
        return _event({"type": name, **fields}, name)

    message = {**_anthropic_whole(call, reply), "content": [], "stop_reason": None}
    yield event("message_start", message={**message, "usage": {**_anthropic_usage(reply), "output_tokens": 1}})
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    async for piece in _paced(call, reply):
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
    match reply.end:
        case "cut":
            _cut()
        case "malformed":
            yield 'event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "del\n\n'
        case "error":
            yield event("error", error={"type": "overloaded_error", "message": reply.message})
        case "finish":
            yield event("content_block_stop", index=0)
            yield event(
                "message_delta",
                delta={"stop_reason": _stop_reason(reply), "stop_sequence": None},
                usage={"output_tokens": reply.completion},
            )
            yield event("message_stop")
