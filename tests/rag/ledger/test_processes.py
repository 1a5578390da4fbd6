"""Processes of a ledger: heard while they write, gone when they end beside this one or fall silent elsewhere, never by a pause of the database."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, insert, select, update

from rag import process
from rag.ledger import writer as writing
from rag.ledger.database import connect
from rag.ledger.processes import SILENT_SECONDS, dead_among, deregister, heartbeat, purge_dead
from rag.ledger.schema import processes, responses
from rag.ledger.writer import Writer
from rag.process import HOST, OWNER

ELSEWHERE = "another.00000000:7:x"


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    opened = connect(ledger_url)
    yield opened
    opened.dispose()


def heard(engine: Engine) -> dict[str, float]:
    """When each was heard, by its owner."""
    with engine.connect() as connection:
        return {row.owner: row.seen_at for row in connection.execute(select(processes))}


def earlier(engine: Engine, owner: str, seconds: float) -> None:
    """As if a process had been heard for the last time so long ago, after having been heard for a minute."""
    with engine.begin() as connection:
        heartbeat(connection)
        now = connection.execute(select(processes.c.seen_at).where(processes.c.owner == OWNER)).scalar_one()
        connection.execute(insert(processes).values(owner=owner, since=now - seconds - 60, seen_at=now - seconds))


def steady(engine: Engine, seconds: float = SILENT_SECONDS + 1) -> None:
    """As if this process had been heard for so long."""
    with engine.begin() as connection:
        heartbeat(connection)
        connection.execute(update(processes).where(processes.c.owner == OWNER).values(since=processes.c.seen_at - seconds))


def judged(engine: Engine, *owners: str) -> set[str]:
    with engine.begin() as connection:
        return dead_among(connection, owners)


def ended() -> str:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return f"{HOST}:{process.pid}:x"


def test_the_clock_is_that_of_the_database_and_goes_on_within_a_transaction(engine: Engine) -> None:
    with engine.begin() as connection:
        heartbeat(connection)
        before = connection.execute(select(processes.c.seen_at)).scalar_one()
        time.sleep(0.05)
        heartbeat(connection)
        after = connection.execute(select(processes.c.seen_at)).scalar_one()
    assert 0.04 < after - before < 5
    assert abs(after - time.time()) < 5


def test_who_ended_beside_this_process_is_gone_at_once(engine: Engine) -> None:
    dead, pid = ended(), OWNER.split(":")[1]
    assert judged(engine, dead, f"{HOST}:{pid}:an-earlier-one", OWNER) == {dead, f"{HOST}:{pid}:an-earlier-one"}


def test_who_has_the_name_of_this_machine_but_runs_in_another_container_is_not_judged_by_its_number(engine: Engine) -> None:
    name = HOST.rpartition(".")[0]
    steady(engine)
    earlier(engine, f"{name}.00000000:4194304:x", 1)
    assert judged(engine, f"{name}.00000000:4194304:x") == set()


def test_who_is_silent_elsewhere_is_gone_after_a_while_and_not_before(engine: Engine) -> None:
    steady(engine)
    earlier(engine, ELSEWHERE, SILENT_SECONDS - 5)
    assert judged(engine, ELSEWHERE, OWNER) == set()
    with engine.begin() as connection:
        connection.execute(update(processes).where(processes.c.owner == ELSEWHERE).values(seen_at=processes.c.seen_at - 6))
    assert judged(engine, ELSEWHERE, OWNER) == {ELSEWHERE}


def test_who_was_never_heard_is_gone(engine: Engine) -> None:
    steady(engine)
    assert judged(engine, ELSEWHERE) == {ELSEWHERE}


def test_nobody_who_was_not_heard_itself_judges_the_silence_of_others(engine: Engine) -> None:
    earlier(engine, ELSEWHERE, SILENT_SECONDS + 5)
    dead = ended()
    assert judged(engine, ELSEWHERE, dead) == {dead}
    # The database was away: this process is heard again, others will be in a moment.
    steady(engine)
    with engine.begin() as connection:
        long_ago = {"seen_at": processes.c.seen_at - SILENT_SECONDS - 5, "since": processes.c.since - SILENT_SECONDS - 5}
        connection.execute(update(processes).where(processes.c.owner == OWNER).values(long_ago))
        assert dead_among(connection, [ELSEWHERE]) == set()
        heartbeat(connection)
        assert dead_among(connection, [ELSEWHERE]) == set()


def test_who_leaves_is_gone_and_who_is_silent_for_long_is_forgotten(engine: Engine) -> None:
    steady(engine)
    earlier(engine, ELSEWHERE, SILENT_SECONDS + 1)
    with engine.begin() as connection:
        purge_dead(connection)
    assert set(heard(engine)) == {OWNER}
    with engine.begin() as connection:
        deregister(connection)
    assert heard(engine) == {}


def test_a_process_is_heard_with_its_first_row_goes_on_while_it_is_idle_and_leaves(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "EVERY_SECONDS", 0.1)
    writer = Writer(engine)
    assert heard(engine) == {}
    writer.submit(responses, {"key": "k", "created_at": "now", "body": ""}).result(30)
    first = heard(engine)[OWNER]
    until = time.monotonic() + 30
    while heard(engine)[OWNER] == first and time.monotonic() < until:
        time.sleep(0.02)
    assert heard(engine)[OWNER] > first
    writer.close()
    assert heard(engine) == {}


def test_a_process_can_be_heard_before_its_first_row(engine: Engine) -> None:
    writer = Writer(engine)
    writer.announce().result(30)
    assert set(heard(engine)) == {OWNER}
    writer.close()


def test_two_ledgers_that_one_process_opened_are_one_process(engine: Engine) -> None:
    writers = [Writer(engine) for _ in range(8)]
    at_once = threading.Barrier(len(writers))

    def announce(writer: Writer) -> None:
        at_once.wait(30)
        writer.announce().result(30)

    threads = [threading.Thread(target=announce, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert set(heard(engine)) == {OWNER}
    for writer in writers:
        writer.close()


def test_an_owner_fits_its_column(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "h" * 64)
    assert len(f"{process._host()}:4194304:{'0' * 32}") <= processes.c.owner.type.length  # type: ignore[attr-defined]
