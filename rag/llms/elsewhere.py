"""Any model that litellm knows, called from a process of its own: litellm's work for each call then takes nothing from this one.

Knows the lines between the two, and how a failure crosses over. Knows no provider. On the socket each call has a connection of its
own: one line asks, the lines that come back answer, and hanging up cancels.
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

from rag.child import Child, ChildError
from rag.errors import GroundwireError, UpstreamError
from rag.llms import tokens
from rag.llms.base import Completion, Request, Usage
from rag.llms.pricing import Price, nanodollars

LONGEST = 2**27
"""Bytes of a line: a long prompt, and more."""
READ_BY_PROVIDERS = ("_KEY", "_TOKEN", "_URL", "_BASE")
"""What the names of variables end with that say whom to call, and with which key."""
FAILURE = ("retryable", "retry_after", "timed_out", "throttled", "billed")

Line = Mapping[str, Any]


def start() -> None:
    """Have the other process get ready, which takes seconds, while this one does something else. Raises `UpstreamError`."""
    _listening(_environment())


class Elsewhere:
    """A model of litellm's. The other process starts with the first, and is one for all.

    Raises `GroundwireError` for a model that litellm does not know, `UpstreamError` where there is no other process.
    """

    def __init__(self, model: str) -> None:
        self._path = _listening(_environment())
        with socket.socket(socket.AF_UNIX) as connection:
            with _told():
                connection.connect(self._path)
                connection.sendall(_line({"open": model}))
            # The answer may take a while, and to count tokens is slow to begin.
            provider, _, name = model.partition("/")
            tokens.count(provider, name, [model])
            with _told(), connection.makefile("rb") as lines:
                about = _read(lines.readline())
        self.missing_key: str | None = about["missing_key"]
        """See `rag.llms.litellm.missing_key`."""
        self._window: int | None = about["window"]
        self._price: Price | None = about["price"]
        self._provider: str = about["provider"]
        self._name: str = about["name"]

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """See `rag.llms.base.LLM`."""
        # The question and its passages are in the messages already.
        asked = {"stream": request.model_dump(mode="json", exclude={"question", "passages", "refusal"})}
        async with self._asked(asked) as lines:
            async for line in lines:
                if "completion" in line:
                    yield Completion.model_validate(line["completion"])
                    return
                yield line["text"]
        raise _gone("it ended in the middle of an answer")

    async def count_tokens(self, model: str, texts: Sequence[str]) -> list[int]:
        """See `rag.llms.base.LLM`."""
        return await asyncio.to_thread(tokens.count, self._provider, self._name, texts)

    def window(self, model: str) -> int | None:
        """See `rag.llms.base.LLM`."""
        return self._window

    def cost(self, model: str, usage: Usage) -> int | None:
        """See `rag.llms.base.LLM`."""
        return None if self._price is None else nanodollars(self._price, usage)

    def estimate(self, request: Request, text: str) -> Usage:
        """See `rag.llms.base.LLM`."""
        return tokens.estimate(self._provider, self._name, request, text)

    async def close(self) -> None:
        """Nothing is held; the other process ends with this one."""

    @asynccontextmanager
    async def _asked(self, line: Line) -> AsyncIterator[AsyncIterator[Line]]:
        with _told():
            reader, writer = await asyncio.open_unix_connection(self._path, limit=LONGEST)
            try:
                writer.write(_line(line))
                yield _lines(reader)
            finally:
                writer.close()


@contextmanager
def _told() -> Iterator[None]:
    """Tell a broken connection as an `UpstreamError`."""
    try:
        yield
    except OSError as error:
        raise _gone(str(error)) from error


def _gone(reason: str) -> UpstreamError:
    problem = f"the process that calls models is gone ({reason})"
    return UpstreamError(problem, "run the command again: what was answered is kept", retryable=False)


def _environment() -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.endswith(READ_BY_PROVIDERS)))


@functools.cache
def _listening(_variables: tuple[tuple[str, str], ...]) -> str:
    """The socket of a process that has these variables: others are another process's."""
    folder = tempfile.TemporaryDirectory(prefix="groundwire-")
    child = Child(__name__, patience=0)
    path = str(Path(folder.name) / "calls")
    try:
        child.start(json.dumps({"socket": path}))
    except ChildError as error:
        raise UpstreamError(
            f"the process that calls models did not start ({error})", "see to that, and try again", retryable=False, billed=False
        ) from error
    _STARTED.append((folder, child))
    return path


_STARTED: list[tuple["tempfile.TemporaryDirectory[str]", Child]] = []
"""Kept until this process ends: the folder of a socket goes with its object."""


def _line(value: Line) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _read(line: bytes) -> Line:
    """What a line says. Raises the failure that it tells, and `OSError` where there is none."""
    if not line:
        raise ConnectionResetError("it hung up")
    said: Line = json.loads(line)
    match said:
        case {"failed": failed}:
            raise UpstreamError(failed["problem"], failed["mend"], **{name: failed[name] for name in FAILURE})
        case {"refused": refused}:
            raise GroundwireError(refused["problem"], refused["mend"])
    return said


async def _lines(reader: asyncio.StreamReader) -> AsyncIterator[Line]:
    while line := await reader.readline():
        yield _read(line)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The other side: one connection, until it is answered or the caller hangs up."""
    asked = json.loads(await reader.readline())
    work = asyncio.create_task(_carry_out(asked, writer))
    left = asyncio.create_task(reader.read())
    await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
    for task in (work, left):
        task.cancel()
    await asyncio.gather(work, left, return_exceptions=True)
    writer.close()


async def _carry_out(asked: Line, writer: asyncio.StreamWriter) -> None:
    from rag.llms.litellm import LiteLLM, missing_key, named, price

    try:
        match asked:
            case {"open": model}:
                name, seller = named(model)
                about = {"window": LiteLLM().window(model), "price": price(model, model), "provider": seller, "name": name}
                about["missing_key"] = missing_key(model)
                writer.write(_line(about))
            case {"stream": request}:
                async with aclosing(LiteLLM().stream(Request.model_validate(request))) as pieces:
                    async for piece in pieces:
                        said = {"text": piece} if isinstance(piece, str) else {"completion": piece.model_dump(mode="json")}
                        writer.write(_line(said))
                        await writer.drain()
    except UpstreamError as error:
        failed = {"problem": error.problem, "mend": error.mend, **{name: getattr(error, name) for name in FAILURE}}
        writer.write(_line({"failed": failed}))
    except GroundwireError as error:
        writer.write(_line({"refused": {"problem": error.problem, "mend": error.mend}}))


async def _serve(path: str) -> None:
    from rag.llms.litellm import library

    server = await asyncio.start_unix_server(_answer, path, limit=LONGEST, backlog=1024)
    # What litellm prints must not fill the pipe, which nobody reads any more.
    with os.fdopen(os.dup(1), "w") as parent:
        os.dup2(2, 1)
        print("listening", file=parent, flush=True)
    litellm = library()
    # A first call would load it, which takes a while. Where it cannot be loaded, the call that needs it says so.
    loading = asyncio.to_thread(getattr, litellm.main, "encoding")
    await asyncio.gather(loading, asyncio.to_thread(sys.stdin.read), return_exceptions=True)
    server.close()


def serve() -> None:
    """The child: answer until the other end of stdin is closed, which is what the end of the parent does too."""
    asyncio.run(_serve(json.loads(sys.stdin.readline())["socket"]))
    os._exit(0)


if __name__ == "__main__":
    serve()
