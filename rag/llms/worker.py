"""LiteLLM in a worker process, so that its per-call overhead does not slow this one.

Knows the socket between the two, and how an error crosses it. Knows no provider. Each call has a connection of its own: one line of
JSON is the request, the lines that come back are the answer, and closing the connection cancels the call.
"""

import asyncio
import functools
import json
import os
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from rag.child import ChildError, ChildProcess
from rag.errors import GroundwireError, UpstreamError
from rag.llms import tokens
from rag.llms.base import Completion, Request, Usage
from rag.llms.pricing import Price, nanodollars

LONGEST_LINE = 2**27
"""In bytes: more than any prompt has."""
PROVIDER_SUFFIXES = ("_KEY", "_TOKEN", "_URL", "_BASE")
"""Suffixes of the environment variables that say which address to call, and with which key."""
_ERROR_FIELDS = ("retryable", "retry_after", "timed_out", "throttled", "billed")

Line = Mapping[str, Any]


def prestart() -> None:
    """Start the worker, which takes seconds to get ready, before the first model needs it. Raises `UpstreamError`."""
    _socket(_environment())


class WorkerLLM:
    """A model of litellm's, called in the worker. All models share one worker; the first one starts it.

    Raises `GroundwireError` for a model that litellm does not know, `UpstreamError` if the worker does not start or is gone.
    """

    def __init__(self, model: str) -> None:
        self._path = _socket(_environment())
        with socket.socket(socket.AF_UNIX) as connection:
            with _translated():
                connection.connect(self._path)
                connection.sendall(_line({"open": model}))
            # Both take a while: the worker's answer, and loading the tokenizer, which is done meanwhile.
            provider, _, name = model.partition("/")
            tokens.count(provider, name, [model])
            with _translated(), connection.makefile("rb") as lines:
                about = _parsed(lines.readline())
        self.missing_key: str | None = about["missing_key"]
        """See `rag.llms.litellm.missing_key`."""
        self._window: int | None = about["window"]
        self._price: Price | None = about["price"]
        self._provider: str = about["provider"]
        self._name: str = about["name"]

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """See `rag.llms.base.LLM`."""
        # The question and its passages are in the messages already.
        line = {"stream": request.model_dump(mode="json", exclude={"question", "passages", "refusal"})}
        async with self._call(line) as lines:
            async for answer in lines:
                if "completion" in answer:
                    yield Completion.model_validate(answer["completion"])
                    return
                yield answer["text"]
        raise _gone("it ended in the middle of an answer")

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `rag.llms.base.LLM`."""
        return await asyncio.to_thread(tokens.count, self._provider, self._name, texts)

    def window(self) -> int | None:
        """See `rag.llms.base.LLM`."""
        return self._window

    def cost(self, usage: Usage) -> int | None:
        """See `rag.llms.base.LLM`."""
        return None if self._price is None else nanodollars(self._price, usage)

    def estimate(self, request: Request, text: str) -> Usage:
        """See `rag.llms.base.LLM`."""
        return tokens.estimate(self._provider, self._name, request, text)

    async def close(self) -> None:
        """Nothing to close: the worker ends with this process."""

    @asynccontextmanager
    async def _call(self, line: Line) -> AsyncIterator[AsyncIterator[Line]]:
        """Send one line on a connection of its own; yielded are the lines that come back."""
        with _translated():
            reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST_LINE)
            try:
                writer.write(_line(line))
                yield _lines(reader)
            finally:
                writer.close()


@contextmanager
def _translated() -> Iterator[None]:
    """Translate a broken connection into an `UpstreamError`."""
    try:
        yield
    except OSError as error:
        raise _gone(str(error)) from error


def _gone(reason: str) -> UpstreamError:
    problem = f"the process that calls models is gone ({reason})"
    return UpstreamError(problem, "run the command again: what was answered is kept", retryable=False)


def _environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.endswith(PROVIDER_SUFFIXES)))


@functools.cache
def _socket(_variables: tuple[tuple[str, str], ...]) -> str:
    """The path of the socket of a worker that was started with these environment variables; others need another worker."""
    folder = tempfile.TemporaryDirectory(prefix="groundwire-")
    worker = ChildProcess(__name__, patience=0)
    path = str(Path(folder.name) / "calls")
    try:
        worker.start(json.dumps({"socket": path}))
    except ChildError as error:
        raise UpstreamError.unavailable(
            f"the process that calls models did not start ({error})", "see to that, and try again"
        ) from error
    _STARTED.append((folder, worker))
    return path


_STARTED: list[tuple["tempfile.TemporaryDirectory[str]", ChildProcess]] = []
"""Keeps the workers and their sockets until this process ends: a temporary folder is deleted with its object."""


def _line(value: Line) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _parsed(line: bytes) -> Line:
    """A line from the worker. Raises the error that it reports, and `OSError` if the worker closed the connection."""
    if not line:
        raise ConnectionResetError("it hung up")
    parsed: Line = json.loads(line)
    match parsed:
        case {"failed": failed}:
            raise UpstreamError(failed["problem"], failed["mend"], **{name: failed[name] for name in _ERROR_FIELDS})
        case {"refused": refused}:
            raise GroundwireError(refused["problem"], refused["mend"])
    return parsed


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[Line]:
    while line := await reader.readline():
        yield _parsed(line)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The worker's side of one connection, until it is answered or the caller closes it."""
    request = json.loads(await reader.readline())
    work = asyncio.create_task(_handle(request, writer))
    closed = asyncio.create_task(reader.read())
    await asyncio.wait((work, closed), return_when=asyncio.FIRST_COMPLETED)
    for task in (work, closed):
        task.cancel()
    await asyncio.gather(work, closed, return_exceptions=True)
    writer.close()


async def _handle(line: Line, writer: asyncio.StreamWriter) -> None:
    """Answer one line; an error is an answer, too."""
    from rag.llms.litellm import LiteLLM, missing_key, named, price

    try:
        match line:
            case {"open": model}:
                name, seller = named(model)
                about = {"window": LiteLLM(model).window(), "price": price(model, model), "provider": seller, "name": name}
                about["missing_key"] = missing_key(model)
                writer.write(_line(about))
            case {"stream": fields}:
                request = Request.model_validate(fields)
                async with aclosing(LiteLLM(request.model).stream(request)) as pieces:
                    async for piece in pieces:
                        answer = {"text": piece} if isinstance(piece, str) else {"completion": piece.model_dump(mode="json")}
                        writer.write(_line(answer))
                        await writer.drain()
    except UpstreamError as error:
        failed = {"problem": error.problem, "mend": error.mend, **{name: getattr(error, name) for name in _ERROR_FIELDS}}
        writer.write(_line({"failed": failed}))
    except GroundwireError as error:
        writer.write(_line({"refused": {"problem": error.problem, "mend": error.mend}}))


async def _serve(path: str) -> None:
    from rag.llms.litellm import library

    server = await asyncio.start_unix_server(_answer, path, limit=LONGEST_LINE, backlog=1024)
    # The parent reads one line of stdout; what litellm prints goes to stderr, for it would fill the pipe.
    with os.fdopen(os.dup(1), "w") as parent:
        os.dup2(2, 1)
        print("listening", file=parent, flush=True)
    litellm = library()
    # Loaded now, so that the first call need not wait for it; if that fails, the call that needs it raises the error.
    loading = asyncio.to_thread(getattr, litellm.main, "encoding")
    await asyncio.gather(loading, asyncio.to_thread(sys.stdin.read), return_exceptions=True)
    server.close()


def serve() -> None:
    """The worker's entry point: answer until stdin is closed, which also happens when the parent ends."""
    asyncio.run(_serve(json.loads(sys.stdin.readline())["socket"]))
    os._exit(0)


if __name__ == "__main__":
    serve()
