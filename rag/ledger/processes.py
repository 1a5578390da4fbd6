"""The processes that use a ledger, and which of them are dead.

Knows their heartbeats, by the database's clock. Knows nothing of what they do, nor of what happens to the rows that a
dead one left.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Float, case, delete, exists, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from rag.ledger.database import insert_or_ignore
from rag.ledger.schema import processes
from rag.process import OWNER, ended

EVERY_SECONDS = 5.0
"""Between two heartbeats, from a process's first row on until it closes the ledger."""

SILENT_SECONDS = 30.0
"""A process is considered dead after this long without a heartbeat: long enough to survive a busy machine, a short
pause or a failover."""

STEADY_SECONDS = 3 * EVERY_SECONDS
"""After a gap this long, a process no longer trusts its own view of others: the database may have been away for all."""


class _Clock(FunctionElement[float]):
    """Seconds since 1970 by the clock of the database, which all processes share."""

    type = Float()
    inherit_cache = True


@compiles(_Clock, "sqlite")
def _on_sqlite(_element: _Clock, _compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(_Clock, "postgresql")
def _on_postgresql(_element: _Clock, _compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


_HEARD = processes.c.seen_at > _Clock() - SILENT_SECONDS


def heartbeat(connection: Connection) -> None:
    """Record that this process lives."""
    steady = processes.c.seen_at > _Clock() - STEADY_SECONDS
    since = case((steady, processes.c.since), else_=_Clock())
    beat = update(processes).where(processes.c.owner == OWNER).values(since=since, seen_at=_Clock())
    if not connection.execute(beat).rowcount:
        connection.execute(insert_or_ignore(connection, processes).values(owner=OWNER, since=_Clock(), seen_at=_Clock()))


def deregister(connection: Connection) -> None:
    """Delete this process's row, as it is about to end."""
    connection.execute(delete(processes).where(processes.c.owner == OWNER))


def dead_among(connection: Connection, owners: Iterable[str]) -> set[str]:
    """Which of these processes are dead: on this machine those that have exited, elsewhere those silent for `SILENT_SECONDS`.

    Silence counts only once this process has itself sent heartbeats for that long: while the database was away, every process was
    silent. A process that was only paused may come back; what it then writes of its own traces stands.
    """
    others = set(owners) - {OWNER}
    dead = {owner for owner in others if ended(owner)}
    steady = exists().where(processes.c.owner == OWNER, _HEARD, processes.c.since <= _Clock() - SILENT_SECONDS)
    if others == dead or not connection.execute(select(steady)).scalar_one():
        return dead
    heard = select(processes.c.owner).where(_HEARD)
    return dead | (others - set(connection.execute(heard).scalars()))


def purge_dead(connection: Connection) -> None:
    """Delete the rows of dead processes."""
    silent = connection.execute(select(processes.c.owner).where(~_HEARD)).scalars().all()
    if silent:
        connection.execute(delete(processes).where(processes.c.owner.in_(silent), ~_HEARD))
