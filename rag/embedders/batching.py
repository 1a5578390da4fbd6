"""Embeds questions that come at the same time in one call.

Knows whether a call is under way, and which questions wait for the next one. Knows no model.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from rag.embedders.base import Embedder, Vectors

BATCH = 16
"""Questions in one call: more would not be faster, and the first would wait for the last."""


class _Pending(NamedTuple):
    question: str
    vector: asyncio.Future[Vectors]


class Batching:
    """Calls the embedder in a thread of its own, one call at a time; questions that come meanwhile share the next call.

    An idle embedder is called at once; nothing waits to fill a batch. Belongs to one event loop at a time.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._thread = ThreadPoolExecutor(1, "embedder")
        self._waiting: list[_Pending] = []
        self._calling: asyncio.Task[None] | None = None

    async def embed(self, question: str) -> Vectors:
        """The question's vector, shape (dimensions,). Raises whatever the embedder raises for its batch."""
        loop = asyncio.get_running_loop()
        if self._calling is None or self._calling.done() or self._calling.get_loop() is not loop:
            # Questions of an earlier event loop: nobody waits for them any more.
            self._waiting = []
            self._calling = loop.create_task(self._call())
        pending = _Pending(question, loop.create_future())
        self._waiting.append(pending)
        return await pending.vector

    async def _call(self) -> None:
        """Call the embedder until no question waits."""
        while batch := self._next():
            questions = [pending.question for pending in batch]
            try:
                vectors = await asyncio.get_running_loop().run_in_executor(self._thread, self._embedder.embed, questions)
                answered = list(zip(batch, vectors, strict=True))
            except Exception as error:  # noqa: BLE001 - raised in `embed`, for each question
                for pending in _unanswered(batch):
                    pending.vector.set_exception(error)
            else:
                for pending, vector in answered:
                    if not pending.vector.done():
                        pending.vector.set_result(vector)

    def _next(self) -> list[_Pending]:
        """The next batch; empty if no question waits."""
        waiting = _unanswered(self._waiting)
        self._waiting = waiting[BATCH:]
        return waiting[:BATCH]


def _unanswered(questions: list[_Pending]) -> list[_Pending]:
    """The questions whose caller still waits."""
    return [pending for pending in questions if not pending.vector.done()]
