"""The processes of a ledger: who this one is, which others live, and which are gone.

Knows what each says of itself, by the database's clock. Knows nothing of what they do, nor of what becomes of what they left.
"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Float, case, delete, exists, select, update
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from rag.ledger.database import insert_new
from rag.ledger.schema import processes
from rag.process import OWNER, ended

EVERY_SECONDS = 5.0
"""A process says so often that it lives, from its first row on until it closes the ledger."""

SILENT_SECONDS = 30.0
"""Whoever says nothing for so long is gone: what a busy machine, a short pause or a database that moves to another node keeps it from
saying it must not count as its death. Several times in a row can be missed."""

STEADY_SECONDS = 3 * EVERY_SECONDS
"""Whoever said nothing for so long may have been kept from it by what kept others, too."""


class _Clock(FunctionElement[float]):
    """Seconds since 1970 by the database: the one clock that all processes share."""

    type = Float()
    inherit_cache = True


@compiles(_Clock, "sqlite")
def _on_sqlite(_element: _Clock, _compiler: SQLCompiler, **_: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(_Clock, "postgresql")
def _on_postgresql(_element: _Clock, _compiler: SQLCompiler, **_: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) AS double precision)"


_HEARD = processes.c.seen_at > _Clock() - SILENT_SECONDS


def beat(connection: Connection) -> None:
    """Say that this process lives."""
    steady = processes.c.seen_at > _Clock() - STEADY_SECONDS
    since = case((steady, processes.c.since), else_=_Clock())
    said = update(processes).where(processes.c.owner == OWNER).values(since=since, seen_at=_Clock())
    if not connection.execute(said).rowcount:
        connection.execute(insert_new(connection, processes).values(owner=OWNER, since=_Clock(), seen_at=_Clock()))


def leave(connection: Connection) -> None:
    """Say that this process is about to end."""
    connection.execute(delete(processes).where(processes.c.owner == OWNER))


def gone(connection: Connection, owners: Iterable[str]) -> set[str]:
    """Those of some processes that live no more: at once where they ran beside this one, else after `SILENT_SECONDS`.

    This one judges the silence of others only once it was itself heard for so long: where the database was away, nobody was.
    One that was only stopped for a while may come back. What it then writes of its own traces stands.
    """
    others = set(owners) - {OWNER}
    dead = {owner for owner in others if ended(owner)}
    steady = exists().where(processes.c.owner == OWNER, _HEARD, processes.c.since <= _Clock() - SILENT_SECONDS)
    if others == dead or not connection.execute(select(steady)).scalar_one():
        return dead
    heard = select(processes.c.owner).where(_HEARD)
    return dead | (others - set(connection.execute(heard).scalars()))


def forget(connection: Connection) -> None:
    """Drop what is known of processes that are silent: of whom nothing is known, nothing else is said."""
    silent = connection.execute(select(processes.c.owner).where(~_HEARD)).scalars().all()
    if silent:
        connection.execute(delete(processes).where(processes.c.owner.in_(silent), ~_HEARD))
