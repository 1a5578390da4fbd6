"""The slots of this process: how many requests are answered at once, and how many may wait for a slot.

Knows how long requests took lately, and the owner of each, so that one owner's burst does not delay the others. Knows nothing
of what requests do.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from api.problem import BusyError, ClosingError, LateError

WEIGHT = 0.1
"""The weight of the latest request in the moving average of durations."""


class Slots:
    """Lets `slots` requests run at once and `queue` more wait, round-robin over their owners. Belongs to one event loop."""

    def __init__(self, slots: int, queue: int) -> None:
        self.slots = slots
        self.queue = queue
        self.busy = 0
        self.seconds = 1.0
        """The moving average of a request's duration."""
        self._lines: dict[str, deque[Place]] = {}
        """The waiting requests of each owner, oldest first. The first owner is served next."""
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """The number of requests in the queue."""
        return sum(map(len, self._lines.values()))

    @contextmanager
    def place(self, owner: str = "") -> Iterator["Place"]:
        """A slot, or a place in the queue if none is free, for the duration of the block.

        Raises `BusyError` at once if the queue is full, or after `close`.
        """
        place = self._new_place(owner)
        try:
            yield place
        finally:
            self._leave(place)

    def close(self) -> None:
        """Admit no new requests. Those that wait already are still answered."""
        self._closed = True

    async def drained(self) -> None:
        """Wait until no request holds a slot."""
        await self._idle.wait()

    def busy_error(self) -> BusyError:
        """The refusal if the queue is full. `retry_after` estimates when the queue will have been served."""
        return BusyError(
            "the server answers as many requests as it can",
            retry_after=self.seconds * (self.waiting + 1) / self.slots,
        )

    def _new_place(self, owner: str) -> "Place":
        if self._closed:
            raise ClosingError("the server is being stopped", "ask again in a moment", retry_after=1.0)
        place = Place(self, owner)
        if self.busy < self.slots:
            self.busy += 1
            self._idle.clear()
            place.decide(has_slot=True)
        else:
            self._queue(place)
        return place

    def _queue(self, place: "Place") -> None:
        """Append a place to its owner's line. If the queue is full, the newest place of the longest line is dropped.

        Raises `BusyError` if that line would become shorter than this one.
        """
        line = self._lines.get(place.owner) or deque()
        if self.waiting >= self.queue:
            longest = max(self._lines.values(), key=len, default=line)
            if len(longest) <= len(line) + 1:
                raise self.busy_error()
            longest.pop().decide(has_slot=False)
        line.append(place)
        self._lines[place.owner] = line

    def _leave(self, place: "Place") -> None:
        if place.has_slot:
            if place.begun_at is not None:
                self.seconds += WEIGHT * (asyncio.get_running_loop().time() - place.begun_at - self.seconds)
            self._hand_on()
            return
        line = self._lines.get(place.owner)
        if line and place in line:
            line.remove(place)
            if not line:
                del self._lines[place.owner]

    def _hand_on(self) -> None:
        """Round-robin over owners: hand the slot to the oldest place of the next line."""
        while self._lines:
            owner, line = next(iter(self._lines.items()))
            place = line.popleft()
            del self._lines[owner]
            if line:
                self._lines[owner] = line
            if place.decide(has_slot=True):
                return
        self.busy -= 1
        if self.busy == 0:
            self._idle.set()


class Place:
    """One request that holds a slot, or waits for one."""

    def __init__(self, slots: Slots, owner: str) -> None:
        self.owner = owner
        self.begun_at: float | None = None
        self._slots = slots
        loop = asyncio.get_running_loop()
        self._came_at = loop.time()
        self._decided: asyncio.Future[bool] = loop.create_future()

    @property
    def has_slot(self) -> bool:
        """Whether the request holds a slot; if not, it waits for one, or was dropped from the queue."""
        return self._decided.done() and not self._decided.cancelled() and self._decided.result()

    def decide(self, *, has_slot: bool) -> bool:
        """Grant the slot, or drop the place from the queue. Returns false if the request no longer waits."""
        waits = not self._decided.done()
        if waits:
            self._decided.set_result(has_slot)
        return waits

    async def turn(self, seconds: float) -> None:
        """Wait for the slot of a request whose answer is due `seconds` after its arrival.

        Raises `LateError` once less time is left than requests took lately, but not before half of `seconds`. Raises `BusyError`
        if the place was dropped for another owner.
        """
        patience = max(seconds - self._slots.seconds, seconds / 2)
        try:
            async with asyncio.timeout_at(self._came_at + patience):
                has_slot = await self._decided
        except TimeoutError:
            raise LateError(
                f"no slot was free for {patience:.3g} s, and the answer is due after {seconds:g} s",
                retry_after=self._slots.busy_error().retry_after,
                reason="late",
            ) from None
        if not has_slot:
            raise self._slots.busy_error()
        self.begun_at = asyncio.get_running_loop().time()
