"""The account of one key: what it has used and reserved, and whether another request is allowed.

Knows the rules of rate, concurrency and budget. Knows no database.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.access.keys import Key
from api.problem import BusyError
from rag.figures import counted
from rag.trace import dollars

BURST_SECONDS = 10.0
"""The size of the token bucket: a key may send the requests of this many seconds at once."""

AHEAD_SECONDS = 60.0
"""The clocks of replicas may differ by so much; a time that lies further ahead was told by a clock that was wrong."""

PATIENCE_SECONDS = 1.0
"""`Retry-After` if requests in flight are in the way, whose end is not known."""


@dataclass
class Account:
    """A key's allowance, and what its requests in flight reserve. Times are in seconds since 1970, money in nano-dollars."""

    key_id: str
    day: str
    """The day of `spent` and `reserved`; ISO 8601, UTC."""
    spent: int
    tokens: float
    """The requests that the key may send at once, as of `refilled_at`."""
    refilled_at: float
    requests: int = 0
    """Requests in flight."""
    reserved: int = 0
    """The most that the requests in flight which were admitted on `day` may cost."""

    def correct(self, now: float) -> None:
        """Take times that lie too far ahead as now: otherwise the key would wait until they have come."""
        if self.refilled_at > now + AHEAD_SECONDS:
            self.refilled_at = now
        if self.day > day_of(now + AHEAD_SECONDS):
            self.day = day_of(now)

    def begin(self, day: str) -> None:
        """Reset the budget on a new UTC day; never go back a day when this clock is behind."""
        if day > self.day:
            self.day, self.spent = day, 0

    def refusal(self, key: Key, ceiling: int, now: float) -> BusyError | None:
        """Why a request that may cost `ceiling` has to wait; of several reasons, the one that lasts longest."""
        return max(self._reasons(key, ceiling, now), key=lambda reason: reason.retry_after, default=None)

    def admit(self, key: Key, ceiling: int, now: float) -> None:
        """Take a token, and count the request and its ceiling as in flight."""
        if key.per_minute is not None:
            self.tokens, self.refilled_at = self._tokens(key.per_minute, now) - 1, max(now, self.refilled_at)
        self.hold(self.day, 1, ceiling)

    def give_back(self) -> None:
        """Return the token of a request that was refused after its admission."""
        self.tokens += 1

    def hold(self, day: str, requests: int, nanodollars: int) -> None:
        """Add requests in flight, and their ceilings if they were admitted on the account's day. Negative values remove them."""
        self.requests += requests
        self.reserved += nanodollars if day == self.day else 0

    def charge(self, day: str, nanodollars: int) -> None:
        """Add to what was spent. Costs of an earlier day are ignored: its budget is over."""
        self.spent += nanodollars if day == self.day else 0

    def token_at(self, key: Key, now: float) -> float:
        """When the key has a token: `now`, or later."""
        if key.per_minute is None:
            return now
        return now + max(0.0, 1 - self._tokens(key.per_minute, now)) * 60 / key.per_minute

    def _reasons(self, key: Key, ceiling: int, now: float) -> Iterator[BusyError]:
        if (wait := self.token_at(key, now) - now) > 0:
            yield too_many(key, wait)
        if key.concurrent is not None and self.requests >= key.concurrent:
            problem = f"the key {key.name} has {counted(key.concurrent, 'request')} under way, as many as it may"
            yield BusyError(problem, "wait for one of them to end", retry_after=PATIENCE_SECONDS, reason="concurrency")
        budget = key.daily_nanodollars
        if budget is not None and self.spent + self.reserved + ceiling > budget:
            # Not final if only reservations are in the way: most requests will cost less than they reserve.
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
        f"the key {key.name} may send {counted(key.per_minute or 0, 'request')} a minute",
        retry_after=retry_after,
        reason="rate",
    )


def day_of(now: float) -> str:
    """The UTC day of a time in seconds since 1970; ISO 8601."""
    return datetime.fromtimestamp(now, UTC).date().isoformat()


def _until_midnight(now: float) -> float:
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (today + timedelta(days=1)).timestamp() - now
