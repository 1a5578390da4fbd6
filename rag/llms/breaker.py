"""A circuit breaker: a model that keeps failing is left alone for a while.

Knows counts and time. Knows no model and makes no call.
"""

import time
from collections.abc import Callable


class Breaker:
    """Opens after `failures` in a row; after `seconds` it lets one probe through, whose outcome closes it or opens it again.

    Belongs to one event loop. `clock` returns seconds that never go back. The caller reports each call that was admitted by exactly
    one of `succeeded`, `failed` and `abandoned`.
    """

    def __init__(self, failures: int = 5, seconds: float = 30.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._seconds = seconds
        self._clock = clock
        self._failures = 0
        self._opened_at: float | None = None
        self._probing = False

    def admits(self) -> bool:
        """Whether a call may be made now; if so, the caller must make it."""
        if self._opened_at is None:
            return True
        if self._probing or self._clock() - self._opened_at < self._seconds:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """The model answered."""
        self._failures, self._opened_at, self._probing = 0, None, False

    def failed(self) -> None:
        """The model failed in a way that says something about its health."""
        self._failures += 1
        self._probing = False
        if self._failures >= self._limit:
            self._opened_at = self._clock()

    def abandoned(self) -> None:
        """The call ended without saying anything about the model's health."""
        self._probing = False
