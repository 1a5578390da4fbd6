"""What models answered, kept by the exact request: no call is paid for twice.

Knows what makes two requests equal, and how an answer is repeated. Knows no provider.
"""

import asyncio
import hashlib
import os
import time
from asyncio import Future, to_thread
from collections.abc import AsyncGenerator, Sequence
from concurrent import futures
from contextlib import aclosing
from datetime import UTC, datetime
from functools import partial

from sqlalchemy import Engine, select

from evals.execution.pace import Pace
from rag.errors import UpstreamError
from rag.ledger import schema
from rag.ledger.failures import translated
from rag.ledger.writer import Writer
from rag.llms.base import LLM, Completion, Request, Timing, Usage
from rag.types import Value


class Response(Value):
    """One answer, whole."""

    text: str
    completion: Completion
    timing: Timing


class Responses:
    """Keeps answers in the ledger. `fresh`: forget what was answered before this object was made.

    Which requests were answered is read once: what another process keeps meanwhile is not found.
    """

    def __init__(self, engine: Engine, writer: Writer, *, fresh: bool = False) -> None:
        self._engine = engine
        self._writer = writer
        self._known = set() if fresh else self._keys()
        self._uncommitted: dict[str, Response] = {}
        self.asking = datetime.now(UTC).isoformat()
        """What calls are made for, by when it began: they are as fast as that hour, and as what else is asked in it."""
        self.under_way: dict[str, Future[None]] = {}
        """Calls that are being made, by key: done when they end, however they end."""

    def __contains__(self, key: str) -> bool:
        return key in self._known or key in self._uncommitted

    def get(self, key: str) -> Response:
        """What was answered to a request with this key, which is known."""
        if (response := self._uncommitted.get(key)) is not None:
            return response
        columns = schema.responses.c
        with translated(self._engine.url), self._engine.connect() as connection:
            body = connection.execute(select(columns.body).where(columns.key == key)).scalar_one()
        return Response.model_validate_json(body)

    def keep(self, key: str, response: Response) -> None:
        """Does not wait: it is committed before any row that is submitted later, such as the trace that rests on it."""
        row = {"key": key, "created_at": datetime.now(UTC).isoformat(), "body": response.model_dump_json()}
        self._uncommitted[key] = response
        self._writer.submit(schema.responses, row).add_done_callback(partial(self._written, key))

    def forget(self, request: Request, sample: int) -> None:
        """Have it asked again, and what it is answered then kept instead."""
        key = _key(request, sample)
        self._known.discard(key)
        self._uncommitted.pop(key, None)

    def _written(self, key: str, written: "futures.Future[None]") -> None:
        if written.exception() is None:
            self._known.add(key)
        self._uncommitted.pop(key, None)

    def _keys(self) -> set[str]:
        with translated(self._engine.url), self._engine.connect() as connection:
            return set(connection.execute(select(schema.responses.c.key)).scalars())


class Remembering:
    """A backend that repeats what it was answered before, and waits for an equal call that is under way.

    `sample` tells apart repeats of a request that must not share an answer. `pace` is told of every call that is answered, and of
    every push-back.
    """

    def __init__(self, llm: LLM, responses: Responses, sample: int, pace: Pace) -> None:
        self._llm = llm
        self._responses = responses
        self._sample = sample
        self._pace = pace

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """See `rag.llms.base.LLM`."""
        key = _key(request, self._sample)
        under_way = self._responses.under_way
        while key not in self._responses and key in under_way:
            await asyncio.wait((under_way[key],))
        if key in self._responses:
            kept = await to_thread(self._responses.get, key)
            if kept.text:
                yield kept.text
            yield kept.completion.model_copy(update={"replayed": kept.timing})
            return
        under_way[key] = asyncio.get_running_loop().create_future()
        try:
            async with aclosing(self._called(key, request)) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            under_way.pop(key).set_result(None)

    async def _called(self, key: str, request: Request) -> AsyncGenerator[str | Completion, None]:
        started = time.perf_counter()
        first: float | None = None
        text = ""
        try:
            async with aclosing(self._llm.stream(request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, str):
                        first = first or time.perf_counter()
                        text += piece
                    else:
                        timing = Timing(
                            first_token_ms=None if first is None else (first - started) * 1e3,
                            total_ms=(time.perf_counter() - started) * 1e3,
                            asking=self._responses.asking,
                        )
                        self._responses.keep(key, Response(text=text, completion=piece, timing=timing))
                        self._pace.answered()
                    yield piece
        except UpstreamError as error:
            if error.throttled:
                self._pace.push_back(error.retry_after)
            raise

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `rag.llms.base.LLM`."""
        return await self._llm.count_tokens(texts)

    def window(self) -> int | None:
        """See `rag.llms.base.LLM`."""
        return self._llm.window()

    def cost(self, usage: Usage) -> int | None:
        """See `rag.llms.base.LLM`."""
        return self._llm.cost(usage)

    def estimate(self, request: Request, text: str) -> Usage:
        """See `rag.llms.base.LLM`."""
        return self._llm.estimate(request, text)

    async def close(self) -> None:
        """See `rag.llms.base.LLM`."""
        await self._llm.close()


def _key(request: Request, sample: int) -> str:
    """Of all that the provider sees, and of which server is asked. Question and passages are in the messages already."""
    servers = sorted((name, url) for name, url in os.environ.items() if name.endswith(("_BASE_URL", "_API_BASE")))
    seen = request.model_dump_json(exclude={"question", "passages", "refusal"})
    return hashlib.sha256(repr((seen, sample, servers)).encode()).hexdigest()
