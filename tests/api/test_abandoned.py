"""What a process left that is gone is settled by the others: all of it, and each piece once, however many try."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, insert, select, update
from uuid_utils import uuid7

from api.abandoned import settle
from api.access.allowance import Allowances
from api.access.keys import Keys
from rag.ledger.database import connect
from rag.ledger.processes import SILENT_SECONDS, heartbeat
from rag.ledger.schema import admissions, allowances, processes
from rag.ledger.schema import traces as table
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from rag.process import HOST
from rag.trace import Channel, Outcome, Trace, Versions
from rag.variant import Variant

VERSIONS = Versions(code="c", variant="v", prompts={"answer@1": "p"}, generation="g", embedder="e", validator="x")
LEFT = 40
RESERVED = 60
DAY = datetime(2999, 1, 1, tzinfo=UTC)
"""On which the requests were admitted: no midnight comes between."""
SETTLERS = 4


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    opened = connect(ledger_url)
    yield opened
    opened.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    opened = Writer(engine)
    yield opened
    opened.close()


def allowances_of(engine: Engine) -> Allowances:
    return Allowances(engine, DAY.timestamp)


def ended() -> str:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{HOST}:{process.pid}:x"


def trace() -> Trace:
    return Trace(
        id=str(uuid7()),
        created_at="2026-07-01T12:00:00.000+00:00",
        channel=Channel.CHAT,
        collection="shop",
        variant=Variant(name="plain"),
        versions=VERSIONS,
        question="How long?",
    )


async def left(engine: Engine, writer: Writer, owner: str) -> tuple[str, list[Trace]]:
    """A key, and requests of it that a process began and held something for."""
    key, _ = Keys(engine).create("website", daily_nanodollars=100_000)
    begun = [trace() for _ in range(LEFT)]
    traces = Traces(engine, writer)
    for one in begun:
        await traces.record(one)
    row = {"key_id": key.id, "owner": owner, "day": DAY.date().isoformat(), "expires_at": 1e12, "reserved_nanodollars": RESERVED}
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.id.in_([one.id for one in begun])).values(owner=owner))
        connection.execute(insert(admissions), [{**row, "id": one.id} for one in begun])
        connection.execute(update(allowances).values(day=DAY.date().isoformat()))
    return key.id, begun


def outcomes(engine: Engine) -> set[str | None]:
    with engine.connect() as connection:
        return set(connection.execute(select(table.c.outcome)).scalars())


@pytest.mark.anyio
async def test_all_is_settled_and_each_request_once(engine: Engine, writer: Writer) -> None:
    _, begun = await left(engine, writer, ended())
    counts: list[tuple[int, int]] = []
    at_once = threading.Barrier(SETTLERS)

    def settler() -> None:
        allowed = allowances_of(engine)
        at_once.wait(30)
        counts.append((Traces(engine, writer).settle_abandoned(), allowed.settle_abandoned()))
        allowed.close()

    await asyncio.gather(*(asyncio.to_thread(settler) for _ in range(SETTLERS)))
    assert [sum(settled) for settled in zip(*counts, strict=True)] == [LEFT, LEFT]
    kept = [Traces(engine, writer).get(one.id) for one in begun]
    assert {(one.outcome, one.reason) for one in kept} == {(Outcome.FAILED, "the process ended before the answer did")}
    with engine.connect() as connection:
        assert connection.execute(select(allowances.c.spent_nanodollars)).scalar_one() == LEFT * RESERVED
        assert connection.execute(select(admissions)).all() == []


@pytest.mark.anyio
async def test_what_another_machine_began_is_left_alone_until_it_is_silent_for_long(engine: Engine, writer: Writer) -> None:
    elsewhere = "another.00000000:7:x"
    await left(engine, writer, elsewhere)
    settling = Traces(engine, writer), allowances_of(engine)
    with engine.begin() as connection:
        heartbeat(connection)
        # This process was heard for long; the other one was until a moment ago.
        connection.execute(update(processes).values(since=processes.c.seen_at - SILENT_SECONDS - 1))
        now = connection.execute(select(processes.c.seen_at)).scalar_one()
        connection.execute(insert(processes).values(owner=elsewhere, since=now - 100, seen_at=now - SILENT_SECONDS + 5))
    settle(*settling)
    assert outcomes(engine) == {None}
    with engine.begin() as connection:
        silent = update(processes).where(processes.c.owner == elsewhere)
        connection.execute(silent.values(seen_at=processes.c.seen_at - 6))
    settle(*settling)
    assert outcomes(engine) == {"failed"}
    with engine.connect() as connection:
        assert elsewhere not in connection.execute(select(processes.c.owner)).scalars().all()
        assert connection.execute(select(admissions)).all() == []


@pytest.mark.anyio
async def test_who_comes_back_ends_its_own_requests_after_all(engine: Engine, writer: Writer) -> None:
    key, begun = await left(engine, writer, ended())
    settle(Traces(engine, writer), allowances_of(engine))
    await Traces(engine, writer).record(begun[0].model_copy(update={"outcome": Outcome.ANSWERED}))
    assert Traces(engine, writer).get(begun[0].id).outcome is Outcome.ANSWERED
    settle(Traces(engine, writer), allowances_of(engine))
    assert Traces(engine, writer).get(begun[0].id).outcome is Outcome.ANSWERED
    with engine.connect() as connection:
        charged = select(allowances.c.spent_nanodollars).where(allowances.c.key_id == key)
        assert connection.execute(charged).scalar_one() == LEFT * RESERVED
