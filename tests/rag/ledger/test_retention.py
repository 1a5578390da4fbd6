"""Old traces go, in steps, with what was said of them; what is referred to stays."""

import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, func, insert, select, text

from rag.ledger import retention
from rag.ledger.database import opened
from rag.ledger.feedback import Feedback, FeedbackFields
from rag.ledger.ids import first_id
from rag.ledger.months import Month, existing, make
from rag.ledger.retention import Only, Pruned, obstacle, prunable, prune
from rag.ledger.schema import feedback, results, traces
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from rag.trace import Trace
from tests.rag.ledger.test_traces import trace

NOW = datetime.now(UTC)
BODY = "x" * 1_000


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    with opened(ledger_url) as engine:
        yield engine


def row(at: datetime, **columns: Any) -> dict[str, Any]:
    """Of a trace that began then."""
    return {
        "id": f"{first_id(at)}-7000-8000-{uuid.uuid4().hex[:12]}",
        "created_at": at.isoformat(timespec="milliseconds"),
        "owner": "here:1:x",
        "outcome": "answered",
        "channel": "chat",
        "collection": "shop",
        "variant": "default",
        "variant_sha256": "0" * 64,
        "model": "m",
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "body": BODY,
        "question": "why?",
        **columns,
    }


def add(engine: Engine, *days_ago: float, **columns: Any) -> list[str]:
    rows = [row(NOW - timedelta(days=days), **columns) for days in days_ago]
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            make(connection, {Month.of(NOW - timedelta(days=days)) for days in days_ago})
        connection.execute(insert(traces), rows)
    return [row["id"] for row in rows]


def kept(engine: Engine) -> set[str]:
    with engine.connect() as connection:
        return set(connection.execute(select(traces.c.id)).scalars())


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def test_what_is_older_goes_with_its_feedback_and_is_counted(engine: Engine) -> None:
    old, new = add(engine, *range(91, 191)), add(engine, 89, 1, 0)
    for id in (*old[:7], *new):
        Feedback(engine).give(id, "ann", FeedbackFields(thumb="up"))
    expected = Pruned(traces=100, feedback=7, bytes=100 * len(BODY))
    assert prunable(engine, ago(90)) == expected
    assert len(kept(engine)) == 103
    shown: list[tuple[int, int]] = []
    assert prune(engine, ago(90), lambda _, done, total: shown.append((done, total))) == expected
    assert shown[-1] == (100, 100)
    assert kept(engine) == set(new)
    with engine.connect() as connection:
        assert set(connection.execute(select(feedback.c.trace_id)).scalars()) == set(new)
    assert prune(engine, ago(90)) == Pruned(0, 0, 0)


def test_what_runs_or_is_named_by_an_evaluation_stays(engine: Engine) -> None:
    add(engine, *range(91, 191))
    (running,), (named,) = add(engine, 150, outcome=None), add(engine, 120)
    with engine.begin() as connection:
        connection.execute(insert(results).values(run_id="r", case_id="c", repeat=0, trace_id=named, body=""))
    assert prunable(engine, ago(90)).traces == 100
    assert prune(engine, ago(90)).traces == 100
    assert kept(engine) == {running, named}


def test_a_single_trace_goes_with_its_shadow(engine: Engine) -> None:
    id, other = add(engine, 2, 1)
    add(engine, 1, channel="shadow", shadow_of=id)
    (stays,) = add(engine, 1, channel="shadow", shadow_of=other)
    assert prune(engine, NOW, only=Only(trace=id)).traces == 2
    assert kept(engine) == {other, stays}


def test_why_a_single_trace_stays_is_told(engine: Engine) -> None:
    (named,), (running,), (free,) = add(engine, 2), add(engine, 2, outcome=None), add(engine, 2, key_id="ann")
    with engine.begin() as connection:
        connection.execute(insert(results).values(run_id="r", case_id="c", repeat=0, trace_id=named, body=""))
    assert obstacle(engine, NOW, Only(trace="x")) == "no trace has the id x"
    assert obstacle(engine, NOW, Only(trace=named)) == f"trace {named} stays: the results of an evaluation name it"
    assert obstacle(engine, NOW, Only(trace=running)) == f"trace {running} stays: its answer is not finished"
    assert obstacle(engine, ago(3), Only(trace=free)) == f"trace {free} stays: it is younger than what is to go"
    assert obstacle(engine, NOW, Only(trace=free, key="bob")) == f"trace {free} stays: it is of another key or collection"
    assert [obstacle(engine, NOW, only) for only in (Only(trace=free), Only(trace=free, key="ann"), Only(key="bob"))] == [
        None
    ] * 3


def test_more_than_one_step_of_traces_that_began_together(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 10)
    add(engine, *[100] * 37)
    new = add(engine, 1)
    assert prune(engine, ago(90)).traces == 37
    assert kept(engine) == set(new)


def test_a_server_writes_meanwhile(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 20)
    add(engine, *[91 + number / 20 for number in range(1_000)])
    pruning = threading.Thread(target=prune, args=[engine, ago(90)])
    writer = Writer(engine)
    log = Traces(engine, writer)
    written: list[Trace] = []
    pruning.start()
    while pruning.is_alive() or len(written) < 20:
        written.append(trace())
        log.submit(written[-1]).result(10)
    pruning.join()
    writer.close()
    assert kept(engine) == {one.id for one in written}


def test_whole_months_are_dropped_and_others_are_not(engine: Engine) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one table")
    add(engine, *range(91, 191))
    (named,) = add(engine, 150)
    with engine.begin() as connection:
        connection.execute(insert(results).values(run_id="r", case_id="c", repeat=0, trace_id=named, body=""))
        before = set(existing(connection))
    prune(engine, ago(90))
    with engine.connect() as connection:
        gone = before - set(existing(connection))
    past = {Month.of(ago(days)) for days in range(91, 191)} - {Month.of(ago(90)), Month.of(ago(150))}
    assert gone == past
    add(engine, *range(91, 191))
    assert len(kept(engine)) == 101


def test_what_another_reads_is_waited_for_and_then_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    if engine.dialect.name != "postgresql":
        pytest.skip("SQLite has one table")
    monkeypatch.setattr(retention, "ATTEMPTS", 1)
    add(engine, 150)
    with engine.connect() as reading:
        reading.execute(select(func.count()).select_from(traces)).scalar_one()
        with pytest.raises(Exception, match="another process holds what was to be changed; run the command again"):
            prune(engine, ago(90))
    assert prune(engine, ago(90)).traces == 1


def test_the_file_shrinks(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with opened(f"sqlite:///{file}") as engine:
        before = filled(engine, file)
        prune(engine, ago(90))
        assert file.stat().st_size < before / 4
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        add(engine, *[100] * 2_000)
        prune(engine, ago(90))
        assert file.stat().st_size < before / 4


def test_a_file_of_an_earlier_version_keeps_its_size_and_is_filled_again(tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with create_engine(f"sqlite:///{file}").begin() as connection:
        connection.execute(text("CREATE TABLE one (x)"))
    with opened(f"sqlite:///{file}") as engine:
        before = filled(engine, file)
        prune(engine, ago(90))
        assert filled(engine, file) < before * 1.1


def filled(engine: Engine, file: Path) -> int:
    """The size of the file, once it has many old traces and a new one."""
    add(engine, *[100] * 2_000)
    add(engine, 1)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").all()
    return file.stat().st_size
