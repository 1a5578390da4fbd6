"""Questions that are asked at the same time, embedded together.

Knows whether a call is under way, and who waits for the next. Knows no model.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from rag.embedders.base import Embedder, Vectors

MOST = 16
"""Questions of one call: more gains no speed, and the first would wait for the last."""


class _Asked(NamedTuple):
    question: str
    vector: asyncio.Future[Vectors]


class Batching:
    """One call to the embedder at a time, in a thread of its own; what arrives meanwhile goes together into the next.

    Nothing is waited for while no call is under way. Belongs to one event loop at a time.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._thread = ThreadPoolExecutor(1, "embedder")
        self._waiting: list[_Asked] = []
        self._calling: asyncio.Task[None] | None = None

    async def embed(self, question: str) -> Vectors:
        """The question's vector, shape (dimensions,). Raises what the embedder raised for the call that it was in."""
        loop = asyncio.get_running_loop()
        if self._calling is None or self._calling.done() or self._calling.get_loop() is not loop:
            # What an earlier loop left behind nobody waits for.
            self._waiting = []
            self._calling = loop.create_task(self._call())
        asked = _Asked(question, loop.create_future())
        self._waiting.append(asked)
        return await asked.vector

    async def _call(self) -> None:
        """Calls for as long as anybody waits."""
        while batch := self._next():
            questions = [asked.question for asked in batch]
            try:
                vectors = await asyncio.get_running_loop().run_in_executor(self._thread, self._embedder.embed, questions)
                answered = list(zip(batch, vectors, strict=True))
            except Exception as error:  # noqa: BLE001 - it is raised where each vector is waited for
                for asked in _left(batch):
                    asked.vector.set_exception(error)
            else:
                for asked, vector in answered:
                    if not asked.vector.done():
                        asked.vector.set_result(vector)

    def _next(self) -> list[_Asked]:
        waiting = _left(self._waiting)
        self._waiting = waiting[MOST:]
        return waiting[:MOST]


def _left(asked: list[_Asked]) -> list[_Asked]:
    """Those that are waited for still."""
    return [one for one in asked if not one.vector.done()]
