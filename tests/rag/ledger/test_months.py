"""The months of traces on PostgreSQL: made before they come, by whoever is first, and rows are where they belong."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, insert, select, text, update

from rag.ledger.database import opened
from rag.ledger.ids import first_id
from rag.ledger.months import Month, Months, coming, existing, make, missing
from rag.ledger.schema import traces
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from tests.rag.ledger.test_retention import row
from tests.rag.ledger.test_traces import trace
from tests.servers.postgres import Postgres

LATER = datetime(2031, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def engine(postgres: Postgres):  # type: ignore[no-untyped-def]
    url = postgres.ledger()
    with opened(url) as engine:
        yield engine
    postgres.drop(url)


def places(engine: Engine) -> Counter[str]:
    with engine.connect() as connection:
        return Counter(connection.execute(text("SELECT tableoid::regclass::text FROM traces")).scalars())


def test_months_follow_each_other_over_the_year() -> None:
    assert coming(LATER) == [Month(2031, 12), Month(2032, 1), Month(2032, 2)]
    assert first_id(Month(2032, 1).begin) == first_id(LATER + timedelta(seconds=1))
    assert Month(2031, 12).partition == "traces_2031_12"


def test_a_new_ledger_has_this_month_and_those_to_come(engine: Engine) -> None:
    with engine.connect() as connection:
        assert missing(connection, coming(datetime.now(UTC))) == []
        assert existing(connection) == coming(datetime.now(UTC))


def test_a_month_is_made_before_it_comes_while_others_write_and_read(engine: Engine) -> None:
    writer = Writer(engine)
    with engine.connect() as reading:
        reading.execute(select(traces.c.id)).all()
        makers = [threading.Thread(target=Months(engine).prepare, args=[LATER]) for _ in range(6)]
        for maker in makers:
            maker.start()
        # Who makes a month waits for who reads now, and who reads next waits behind it: not for long.
        reading.rollback()
        for maker in makers:
            maker.join()
    Traces(engine, writer).submit(trace()).result(30)
    writer.close()
    with engine.connect() as connection:
        assert missing(connection, coming(LATER)) == []


def test_a_month_that_cannot_be_made_is_logged_and_made_later(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    months = Months(engine)
    with engine.begin() as connection:
        connection.execute(text("LOCK TABLE traces_default IN ACCESS EXCLUSIVE MODE"))
        months.prepare(LATER)
    assert "no partition for the traces of traces_2032_02 yet" in caplog.text
    months._again = 0.0
    months.prepare(LATER)
    with engine.connect() as connection:
        assert missing(connection, coming(LATER)) == []


def test_rows_are_in_the_partition_of_their_month_and_odd_ids_in_the_default(engine: Engine) -> None:
    now = datetime.now(UTC)
    with engine.begin() as connection:
        connection.execute(insert(traces), [row(now), row(now), {**row(now), "id": "odd"}, row(datetime(1999, 1, 1, tzinfo=UTC))])
        connection.execute(update(traces).where(traces.c.id == "odd").values(id=row(now)["id"]))
    assert places(engine) == {Month.of(now).partition: 3, "traces_default": 1}


def test_a_month_with_traces_astray_leaves_them_in_the_default(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(insert(traces), row(LATER))
        make(connection, coming(LATER))
    assert places(engine) == {"traces_default": 1}
    with engine.connect() as connection:
        assert missing(connection, coming(LATER)) == [Month.of(LATER)]
