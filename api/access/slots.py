"""The slots of this process: how many requests are answered at once, and how many may wait for that.

Knows how long requests took lately. Knows nothing of what they do, nor of whose they are.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from api.problem import BusyError, ClosingError

WEIGHT = 0.1
"""Of the latest request in the moving average of how long one takes."""


class Slots:
    """At most `slots` requests at once; `queue` more wait, in the order they came. Belongs to one event loop."""

    def __init__(self, slots: int, queue: int) -> None:
        self.slots = slots
        self.queue = queue
        self.busy = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._seconds = 1.0
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold a slot, after waiting for one. Raises `BusyError` at once where the queue is full, and after `close`."""
        await self._take()
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            yield
        finally:
            self._seconds += WEIGHT * (clock() - began - self._seconds)
            self._hand_on()

    def close(self) -> None:
        """Take nothing new. Who waits already is still answered."""
        self._closed = True

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        await self._idle.wait()

    async def _take(self) -> None:
        if self._closed:
            raise ClosingError("the server is being stopped", "ask again in a moment", retry_after=1.0)
        if self.busy < self.slots:
            self.busy += 1
            self._idle.clear()
            return
        if len(self._waiting) >= self.queue:
            raise BusyError(
                "the server answers as many requests as it can",
                "ask again when Retry-After says",
                retry_after=self._wait_seconds(),
            )
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                with suppress(ValueError):  # it was passed over while it was being cancelled
                    self._waiting.remove(turn)
            else:
                self._hand_on()
            raise

    def _hand_on(self) -> None:
        """Give the slot to who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1
        if self.busy == 0:
            self._idle.set()

    def _wait_seconds(self) -> float:
        """Until a slot is free that nobody waits for, as requests went lately."""
        return self._seconds * (len(self._waiting) + 1) / self.slots
