"""The account of one key: what it has used and holds, and whether another request fits in.

Knows the rules of rate, concurrency and budget. Knows no database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.access.keys import Key
from api.problem import BusyError
from rag.trace import dollars

BURST_SECONDS = 10.0
"""A key that rested so long may send at once what it may send in so long."""

PATIENCE_SECONDS = 1.0
"""To wait for a request under way: nobody knows when it ends."""


@dataclass
class Account:
    """A key's row of the allowances, and what its requests under way hold. Times are seconds since 1970, money is nano-dollars."""

    key_id: str
    day: str
    """What was spent was spent on this one; ISO 8601, UTC."""
    spent: int
    tokens: float
    """Requests that it may send at once, as of `refilled_at`."""
    refilled_at: float
    requests: int = 0
    """Under way."""
    reserved: int = 0
    """What those of them that were admitted on `day` may cost."""

    def begin(self, day: str) -> None:
        """Another day, another budget. A clock that is behind the others' keeps to their day."""
        if day > self.day:
            self.day, self.spent = day, 0

    def refusal(self, key: Key, ceiling: int, now: float) -> BusyError | None:
        """Why a request that may cost `ceiling` has to wait: of all reasons the one that lasts longest."""
        return max(self._reasons(key, ceiling, now), key=lambda reason: reason.retry_after, default=None)

    def admit(self, key: Key, ceiling: int, now: float) -> None:
        """Take a token, and hold a place and the ceiling."""
        if key.per_minute is not None:
            self.tokens, self.refilled_at = self._tokens(key.per_minute, now) - 1, max(now, self.refilled_at)
        self.hold(self.day, 1, ceiling)

    def give_back(self) -> None:
        """The token of a request that was turned away after all."""
        self.tokens += 1

    def hold(self, day: str, requests: int, nanodollars: int) -> None:
        """Count requests under way, which were admitted on a day."""
        self.requests += requests
        self.reserved += nanodollars if day == self.day else 0

    def charge(self, day: str, nanodollars: int) -> None:
        """Add to what was spent; of an earlier day nobody asks any more."""
        self.spent += nanodollars if day == self.day else 0

    def token_at(self, key: Key, now: float) -> float:
        """When the key has a token: now, or later."""
        if key.per_minute is None:
            return now
        return now + max(0.0, 1 - self._tokens(key.per_minute, now)) * 60 / key.per_minute

    def _reasons(self, key: Key, ceiling: int, now: float) -> Iterator[BusyError]:
        if (wait := self.token_at(key, now) - now) > 0:
            yield too_many(key, wait)
        if key.concurrent is not None and self.requests >= key.concurrent:
            problem = f"the key {key.name} may have {key.concurrent} requests under way, and has"
            yield BusyError(problem, "wait for one of them to end", retry_after=PATIENCE_SECONDS, reason="concurrency")
        budget = key.daily_nanodollars
        if budget is not None and self.spent + self.reserved + ceiling > budget:
            # Where only requests under way are in the way: most of them will cost less than they hold.
            final = self.spent + ceiling > budget
            left = budget - self.spent - self.reserved
            yield BusyError(
                f"this request may cost {dollars(ceiling)}, and the key {key.name} has {dollars(max(0, left))} left of "
                f"{dollars(budget)} a day",
                "ask again after midnight UTC" if final else "wait for its requests under way to end",
                retry_after=_until_midnight(now) if final else PATIENCE_SECONDS,
                reason="budget",
            )

    def _tokens(self, per_minute: int, now: float) -> float:
        """A token bucket, refilled continuously."""
        earned = max(0.0, now - self.refilled_at) * per_minute / 60
        return min(max(1.0, per_minute * BURST_SECONDS / 60), self.tokens + earned)


def too_many(key: Key, retry_after: float) -> BusyError:
    """The refusal of a key that has no token for `retry_after` seconds."""
    return BusyError(
        f"the key {key.name} may send {key.per_minute} requests a minute",
        "ask again when Retry-After says",
        retry_after=retry_after,
        reason="rate",
    )


def day_of(now: float) -> str:
    """The day of UTC, ISO 8601."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _until_midnight(now: float) -> float:
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).timestamp() - now
