"""The requests of a rollout, as the ledger has them.

Knows the columns that tell how a request went. Knows no policy, and never reads a body.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Engine, select

from api.rollouts.state import Arm
from rag.ledger import ids
from rag.ledger.failures import translated
from rag.ledger.schema import traces
from rag.trace import Outcome

GIVEN_UP = 600.0
"""Seconds after which a request that still runs is considered abandoned by its process."""
LATE = 1.0
"""Seconds by which a request's row, or the news of a change, may arrive late from another process."""
PORTION = 10_000
"""Rows in memory at once."""
FEW = 200
"""Rows of the first portion. It is small, because the tests stop at the first request that still runs."""


class Request(NamedTuple):
    """One request. The order of ids is the order of arrival."""

    id: str
    created_at: str
    arm: Arm
    outcome: Outcome | None
    """Null while it runs."""
    ungrounded: int
    total_ms: float | None
    cost_nanodollars: int | None
    unit: str | None
    shadow_of: str | None

    def age(self, now: float) -> float:
        """Seconds since it began; `now` is in seconds since 1970."""
        return now - datetime.fromisoformat(self.created_at).timestamp()


def first_id(at: str, later: float = 0.0) -> str:
    """The smallest id of a request that came `later` seconds after `at` (ISO 8601 with a zone), or later still."""
    return ids.first_id(datetime.fromisoformat(at) + timedelta(seconds=later))


def id_at(seconds: float) -> str:
    """As `first_id`, for a time in seconds since 1970."""
    return ids.first_id(datetime.fromtimestamp(seconds, UTC))


def read(engine: Engine, experiment: str, after: str, until: float) -> Iterator[list[Request]]:
    """The requests above the id `after` that began before `until` (seconds since 1970), in portions, ordered by id."""
    columns = traces.c
    wanted = [columns[name] for name in Request._fields]
    before = id_at(until)
    limit = min(FEW, PORTION)
    while True:
        query = select(*wanted).where(columns.experiment == experiment, columns.id > after, columns.id < before)
        with translated(engine.url), engine.connect() as connection:
            rows = connection.execute(query.order_by(columns.id).limit(limit)).all()
        if rows:
            yield [_request(row) for row in rows]
            after = rows[-1].id
        if len(rows) < limit:
            return
        limit = PORTION


def _request(row: tuple) -> Request:  # type: ignore[type-arg]
    id, created_at, arm, outcome, ungrounded, *rest = row
    return Request(id, created_at, Arm(arm), Outcome(outcome) if outcome else None, ungrounded or 0, *rest)
