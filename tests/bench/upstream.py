"""A provider on loopback, in a process of its own, that answers every request after the same time and counts.

Speaks OpenAI's `/v1/chat/completions`, streamed word by word where it is asked to. `python -m tests.bench.upstream SECONDS` tells its port.
"""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx

ROOT = Path(__file__).parents[2]
ANSWER = "A trace is the record of one request [1]. It keeps the passages, the claims, the tokens and the cost [1]."
USAGE = {"prompt_tokens": 400, "completion_tokens": 30, "total_tokens": 430}
HEAD = {"id": "bench", "created": 0, "model": "gpt-4.1-mini"}
CHOICE = {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}
WHOLE = json.dumps({**HEAD, "object": "chat.completion", "choices": [CHOICE], "usage": USAGE}).encode()


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def _chunk(delta: dict[str, str], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return _event({**HEAD, "object": "chat.completion.chunk", "choices": [choice]})


STREAMED = [
    *(_chunk({"content": word}) for word in re.findall(r"\S+\s*", ANSWER)),
    _chunk({}, "stop"),
    _event({**HEAD, "object": "chat.completion.chunk", "choices": [], "usage": USAGE}),
    b"data: [DONE]\n\n",
]


class Seen(NamedTuple):
    """What came since the last look; times by `time.monotonic`."""

    calls: int = 0
    most_at_once: int = 0
    first: float = 0.0
    """When the first call came."""
    last: float = 0.0
    """When the last call was answered."""


class Upstream(NamedTuple):
    """As its caller knows it."""

    url: str
    seconds: float
    """Of every answer."""

    def look(self) -> Seen:
        """What came since the last look."""
        return Seen(**httpx.get(f"{self.url}/seen").raise_for_status().json())


@contextmanager
def upstream(seconds: float) -> Iterator[Upstream]:
    """One that is ready; it ends with the block."""
    command = [sys.executable, "-m", "tests.bench.upstream", str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout
        try:
            yield Upstream(f"http://127.0.0.1:{int(process.stdout.readline())}", seconds)
        finally:
            process.terminate()


class Application:
    """Plain ASGI: two cores are shared with who is measured."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen = Seen()
        self._under_way = 0

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        asked = b""
        while (received := await receive()).get("more_body"):
            asked += received["body"]
        asked += received["body"]
        kind = b"application/json"
        if scope["path"] == "/seen":
            bodies, self._seen = [json.dumps(self._seen._asdict()).encode()], Seen()
        else:
            await self._answer()
            bodies = [WHOLE]
            if b'"stream": true' in asked or b'"stream":true' in asked:
                kind, bodies = b"text/event-stream", STREAMED
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        for body in bodies:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body"})

    async def _answer(self) -> None:
        self._under_way += 1
        seen = self._seen
        most = max(seen.most_at_once, self._under_way)
        self._seen = seen._replace(calls=seen.calls + 1, most_at_once=most, first=seen.first or time.monotonic())
        await asyncio.sleep(self._seconds)
        self._under_way -= 1
        self._seen = self._seen._replace(last=time.monotonic())


def main(seconds: float) -> None:
    """Serve until terminated."""
    import uvicorn

    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        # Otherwise a piece waits until the one before is acknowledged, which takes 40 ms.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        print(listening.getsockname()[1], flush=True)
        server = uvicorn.Server(uvicorn.Config(Application(seconds), log_level="critical", lifespan="off"))
        server.run(sockets=[listening])


if __name__ == "__main__":
    main(float(sys.argv[1]))
