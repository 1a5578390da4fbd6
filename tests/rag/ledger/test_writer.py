"""Rows of any table, in the order they come: committed together, each told what became of it."""

import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select

from rag.errors import GroundwireError
from rag.ledger.batch_queue import GROUP
from rag.ledger.database import connect
from rag.ledger.schema import responses, results, runs
from rag.ledger.writer import Row, Writer
from tests.commits import Held


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


def result(case: str, repeat: int = 0, body: str = "", run: str = "r") -> Row:
    return {"run_id": run, "case_id": case, "repeat": repeat, "trace_id": "t", "body": body}


def response(key: str) -> Row:
    return {"key": key, "created_at": "now", "body": ""}


def bodies(engine: Engine) -> dict[tuple[str, str, int], str]:
    with engine.connect() as connection:
        return {(row.run_id, row.case_id, row.repeat): row.body for row in connection.execute(select(results))}


def test_rows_of_several_tables_that_wait_share_one_commit(engine: Engine, writer: Writer) -> None:
    held = Held(engine)
    first = writer.submit(runs, {"id": "r", "created_at": "now", "name": "a", "body": ""})
    held.wait()
    waiting = [
        writer.submit(table, row)
        for number in range(20)
        for table, row in ((results, result(str(number))), (responses, response(str(number))))
    ]
    assert not any(entry.done() for entry in (first, *waiting))
    held.let_go()
    for entry in waiting:
        entry.result(30)
    assert held.commits == 2
    assert len(bodies(engine)) == 20
    with engine.connect() as connection:
        assert len(connection.execute(select(responses)).all()) == 20


def test_a_row_replaces_the_one_with_the_same_key_and_no_other(engine: Engine, writer: Writer) -> None:
    keys = [("r", "a", 0), ("r", "a", 1), ("r", "b", 0), ("s", "a", 0)]
    for run, case, repeat in keys:
        writer.submit(results, result(case, repeat, "old", run))
    writer.submit(results, result("a", 1, "new")).result(30)
    assert bodies(engine) == {key: "new" if key == ("r", "a", 1) else "old" for key in keys}


def test_of_rows_with_one_key_in_one_commit_the_last_stays(engine: Engine, writer: Writer) -> None:
    held = Held(engine)
    writer.submit(results, result("first"))
    held.wait()
    waiting = [writer.submit(results, result("a", body=str(number))) for number in range(5)]
    held.let_go()
    for entry in waiting:
        entry.result(30)
    assert bodies(engine)["r", "a", 0] == "4"


def test_a_row_that_cannot_be_written_is_told_to_who_waits_and_later_ones_are_written(engine: Engine, writer: Writer) -> None:
    with pytest.raises(GroundwireError, match=r"cannot be used: (NOT NULL|null value)"):
        writer.submit(results, {**result("a"), "body": None}).result(30)
    writer.submit(results, result("b")).result(30)
    assert list(bodies(engine)) == [("r", "b", 0)]


def test_a_row_that_is_refused_costs_those_beside_it_nothing(engine: Engine, writer: Writer) -> None:
    held = Held(engine)
    writer.submit(results, result("first"))
    held.wait()
    good, bad = writer.submit(responses, response("a")), writer.submit(results, {**result("a"), "body": None})
    held.let_go()
    assert good.exception(30) is None
    assert isinstance(bad.exception(30), GroundwireError)
    with engine.connect() as connection:
        assert connection.execute(select(responses.c.key)).scalars().all() == ["a"]


def test_closing_writes_what_waits_and_more_may_follow(engine: Engine, writer: Writer) -> None:
    entries = [writer.submit(results, result(str(number))) for number in range(3 * GROUP)]
    writer.close()
    assert all(entry.done() for entry in entries)
    assert len(bodies(engine)) == 3 * GROUP
    writer.close()
    late = writer.submit(results, result("late"))
    writer.close()
    assert late.done()
    assert len(bodies(engine)) == 3 * GROUP + 1


class Meddling(queue.SimpleQueue[Any]):
    """Has the writer closed just before a row is put in, by someone else."""

    def __init__(self, close: Callable[[], None]) -> None:
        self.closing = threading.Thread(target=close)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if item is not None:
            self.closing.start()
            self.closing.join(0.2)
        super().put(item)


def test_no_row_is_lost_to_a_writer_that_is_being_closed(engine: Engine, writer: Writer) -> None:
    writer._groups._entries = meddling = Meddling(writer.close)
    writer.submit(results, result("a")).result(10)
    meddling.closing.join()
    assert list(bodies(engine)) == [("r", "a", 0)]
