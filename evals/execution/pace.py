"""How many requests a provider gets at once: more until it pushes back, then fewer.

Knows counts and time. Knows no provider and makes no call.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

FIRST = 8
MOST = 256
LONGEST_PAUSE = 120.0
"""Seconds that are waited when a provider asks to; one that asks for more has closed for the day."""
SHORTEST_PAUSE = 0.5
"""Seconds between two reductions: requests that were under way at the first one may push back as well, and say nothing new."""


class Pace:
    """Slots for one provider. Doubles after every round of successes until the first push-back; from then on a push-back halves it, and
    a round of successes adds one (additive increase, multiplicative decrease: Chiu and Jain 1989). For one event loop.
    """

    def __init__(self, first: int = FIRST, most: int = MOST) -> None:
        self.slots = min(first, most)
        self.begun = 0
        """Requests that have, or will ask for, a slot; counted by whoever begins them."""
        self.under_way = 0
        self.asked_to_wait = 0.0
        """Seconds; the most that the provider has asked for."""
        self._most = most
        self._successes = 0
        self._pushed_back = False
        self._reduced_at = float("-inf")
        self._resumes_at = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """A slot for the time of a call."""
        await self.enter()
        try:
            yield
        finally:
            self.leave()

    def answered(self) -> None:
        """The provider has answered a call, with no objection to how many there are."""
        if self.under_way >= self.slots:
            self._successes += 1
            if self._successes >= self.slots:
                self._successes = 0
                self.slots = min(self._most, self.slots + 1 if self._pushed_back else self.slots * 2)

    async def enter(self) -> None:
        """Wait for a slot, first come first served, and until a pause that the provider asked for is over."""
        if self.under_way >= self.slots:
            await self._turn()
        else:
            self.under_way += 1
        try:
            while True:
                pause = self._resumes_at - time.monotonic()
                if pause <= 0:
                    return
                await asyncio.sleep(pause)
        except asyncio.CancelledError:
            self.leave()
            raise

    def leave(self) -> None:
        """Give the slot back."""
        self.under_way -= 1
        self._hand_over()

    def push_back(self, seconds: float | None) -> None:
        """The provider wants less, and nothing for so many seconds, where it says."""
        now = time.monotonic()
        self.asked_to_wait = max(self.asked_to_wait, seconds or 0.0)
        self._resumes_at = max(self._resumes_at, now + min(seconds or 0.0, LONGEST_PAUSE))
        if now - self._reduced_at >= SHORTEST_PAUSE:
            self._pushed_back, self._successes = True, 0
            self._reduced_at = max(now, self._resumes_at)
            self.slots = max(1, self.slots // 2)

    async def _turn(self) -> None:
        """Wait until a slot is handed over."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()
            raise

    def _hand_over(self) -> None:
        while self._waiting and self.under_way < self.slots:
            turn = self._waiting.popleft()
            if not turn.done():
                self.under_way += 1
                turn.set_result(None)
