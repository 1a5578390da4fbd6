"""The requests of a rollout, as the ledger has them.

Knows the columns that tell how a request went. Knows no policy, and never reads a body.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from sqlalchemy import Engine, select

from api.rollouts.state import Arm
from rag.ledger.database import told
from rag.ledger.schema import traces
from rag.trace import Outcome

GIVEN_UP = 600.0
"""Seconds: what runs for longer has lost its process."""
LATE = 1.0
"""Seconds that a request's first row, and another process's knowledge of a change, may come late."""
PORTION = 10_000
"""Rows in memory at once."""
FEW = 200
"""Rows of the first portion: where the first of them still runs, all others are read in vain."""


class Request(NamedTuple):
    """One request; ordered by id, they are ordered by when they came."""

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
        """Seconds since it began; `now` in seconds since 1970."""
        return now - datetime.fromisoformat(self.created_at).timestamp()


def first_id(at: str, later: float = 0.0) -> str:
    """What the ids of all requests that came at `at` (ISO 8601), or so many seconds later, are not below: they are UUIDv7."""
    milliseconds = f"{round((datetime.fromisoformat(at).timestamp() + later) * 1000):012x}"
    return f"{milliseconds[:8]}-{milliseconds[8:]}"


def id_at(seconds: float) -> str:
    """What the ids of all requests that come from then on (seconds since 1970) are not below."""
    return first_id(datetime.fromtimestamp(seconds, UTC).isoformat())


def read(engine: Engine, experiment: str, after: str, until: float) -> Iterator[list[Request]]:
    """Portions of the requests above the id `after` that began before `until` (seconds since 1970), in their order."""
    columns = traces.c
    wanted = [columns[name] for name in Request._fields]
    before = id_at(until)
    limit = min(FEW, PORTION)
    while True:
        query = select(*wanted).where(columns.experiment == experiment, columns.id > after, columns.id < before)
        with told(engine.url), engine.connect() as connection:
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
