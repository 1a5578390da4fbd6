"""The slots of this process: how many requests are answered at once, and how many may wait for that.

Knows how long requests took lately, and a name for whose each is, so that nobody's burst keeps others waiting. Knows nothing of what
they do.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from api.problem import BusyError, ClosingError, LateError

WEIGHT = 0.1
"""Of the latest request in the moving average of how long one takes."""


class Slots:
    """At most `slots` requests at once; `queue` more wait, in turn by whose they are. Belongs to one event loop."""

    def __init__(self, slots: int, queue: int) -> None:
        self.slots = slots
        self.queue = queue
        self.busy = 0
        self.seconds = 1.0
        """What a request takes, as they went lately."""
        self._lines: dict[str, deque[Place]] = {}
        """Who waits, in the order they came, by whose they are; the line that is served next comes first."""
        self._closed = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return sum(map(len, self._lines.values()))

    @contextmanager
    def place(self, whose: str = "") -> Iterator["Place"]:
        """A slot where one is free, else a place in the queue, until the request is over. Raises `BusyError` at once where the queue
        is full, and after `close`.
        """
        place = self._found(whose)
        try:
            yield place
        finally:
            self._leave(place)

    def close(self) -> None:
        """Take nothing new. Who waits already is still answered."""
        self._closed = True

    async def drained(self) -> None:
        """Wait until nothing is under way."""
        await self._idle.wait()

    def busy_error(self) -> BusyError:
        """The refusal of a request that there is no place for. Until a slot is free that nobody waits for, as requests went lately."""
        return BusyError(
            "the server answers as many requests as it can",
            "ask again when Retry-After says",
            retry_after=self.seconds * (self.waiting + 1) / self.slots,
        )

    def _found(self, whose: str) -> "Place":
        if self._closed:
            raise ClosingError("the server is being stopped", "ask again in a moment", retry_after=1.0)
        place = Place(self, whose)
        if self.busy < self.slots:
            self.busy += 1
            self._idle.clear()
            place.decide(has_slot=True)
        else:
            self._queue(place)
        return place

    def _queue(self, place: "Place") -> None:
        """At the end of its line. Where the queue is full, the last of the longest line makes room, if that stays no shorter."""
        line = self._lines.get(place.whose) or deque()
        if self.waiting >= self.queue:
            longest = max(self._lines.values(), key=len, default=line)
            if len(longest) <= len(line) + 1:
                raise self.busy_error()
            longest.pop().decide(has_slot=False)
        line.append(place)
        self._lines[place.whose] = line

    def _leave(self, place: "Place") -> None:
        if place.has_slot:
            if place.begun_at is not None:
                self.seconds += WEIGHT * (asyncio.get_running_loop().time() - place.begun_at - self.seconds)
            self._hand_on()
            return
        line = self._lines.get(place.whose)
        if line and place in line:
            line.remove(place)
            if not line:
                del self._lines[place.whose]

    def _hand_on(self) -> None:
        """Give the slot to who has waited longest in the line whose turn it is; that line is the last one then."""
        while self._lines:
            whose, line = next(iter(self._lines.items()))
            place = line.popleft()
            del self._lines[whose]
            if line:
                self._lines[whose] = line
            if place.decide(has_slot=True):
                return
        self.busy -= 1
        if self.busy == 0:
            self._idle.set()


class Place:
    """Of one request among the others."""

    def __init__(self, slots: Slots, whose: str) -> None:
        self.whose = whose
        self.begun_at: float | None = None
        self._slots = slots
        loop = asyncio.get_running_loop()
        self._came_at = loop.time()
        self._decided: asyncio.Future[bool] = loop.create_future()

    @property
    def has_slot(self) -> bool:
        """Whether a slot is held, or else waited for, or lost."""
        return self._decided.done() and not self._decided.cancelled() and self._decided.result()

    def decide(self, *, has_slot: bool) -> bool:
        """Whether it was waited for still."""
        waited_for = not self._decided.done()
        if waited_for:
            self._decided.set_result(has_slot)
        return waited_for

    async def turn(self, seconds: float) -> None:
        """Wait for the slot, in `seconds` from when the request came until its answer is due.

        Raises `LateError` as soon as less is left of them than requests took lately, but for half of them at least it waits, and
        `BusyError` where the place was given to a line that is shorter.
        """
        patience = max(seconds - self._slots.seconds, seconds / 2)
        try:
            async with asyncio.timeout_at(self._came_at + patience):
                has_slot = await self._decided
        except TimeoutError:
            raise LateError(
                f"no slot was free for {patience:.3g} s, and the answer is due after {seconds:g} s",
                "ask again when Retry-After says",
                retry_after=self._slots.busy_error().retry_after,
                reason="late",
            ) from None
        if not has_slot:
            raise self._slots.busy_error()
        self.begun_at = asyncio.get_running_loop().time()
