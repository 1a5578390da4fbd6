"""Several processes on one ledger: nobody waits for who waits for them, and of two that do the same one is told."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sqlalchemy import Engine, func, insert, select

from rag.errors import GroundwireError
from rag.ledger.corpus import Change, Collection, Corpus
from rag.ledger.database import exclusive, opened
from rag.ledger.feedback import Feedback, FeedbackFields
from rag.ledger.schema import collections, responses, runs, vectors
from rag.ledger.traces import Traces
from rag.ledger.writer import Writer
from tests.rag.ledger.test_traces import trace


@pytest.fixture
def engine(ledger_url: str) -> Iterator[Engine]:
    with opened(ledger_url) as engine:
        yield engine


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each gives back, or raises."""
    starting = threading.Barrier(len(works))

    def run(work: Callable[[], object]) -> object:
        starting.wait(30)
        try:
            return work()
        except GroundwireError as error:
            return error

    with ThreadPoolExecutor(len(works)) as threads:
        return list(threads.map(run, works))


def test_writers_of_the_same_rows_in_other_orders_do_not_block_each_other(engine: Engine) -> None:
    def work(order: int) -> Callable[[], None]:
        def written() -> None:
            writer = Writer(engine)
            for _ in range(20):
                keys = [f"{number:02}" for number in range(40)][::order]
                rows = [writer.submit(responses, {"key": key, "created_at": "", "body": str(order)}) for key in keys]
                rows += [writer.submit(runs, {"id": key, "created_at": "", "name": "", "body": ""}) for key in keys[::-1]]
                for row in rows:
                    row.result(30)
            writer.close()

        return written

    assert at_once(work(1), work(-1), work(1), work(-1)) == [None] * 4
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(responses)).scalar() == 40


def test_of_two_first_ingests_of_a_collection_one_is_told(engine: Engine) -> None:
    def ingested(generation: str) -> Callable[[], None]:
        after = Collection("guide", "hash", generation)
        return lambda: Corpus(engine).replace(None, after, Change())

    found = at_once(*(ingested(str(number)) for number in range(4)))
    assert found.count(None) == 1
    told = [str(error) for error in found if error is not None]
    assert all("guide was changed by another process meanwhile" in one for one in told), told


def test_of_two_later_ingests_one_is_told(engine: Engine) -> None:
    before = Collection("guide", "hash", "0")
    with engine.begin() as connection:
        connection.execute(insert(collections).values(before._asdict()))
    found = at_once(*(lambda number=number: Corpus(engine).use(before, str(number)) for number in range(1, 5)))
    assert found.count(None) == 1
    assert Corpus(engine).collection("guide").generation == str(1 + found.index(None))


def test_the_same_vectors_are_kept_by_all_who_embed_them(engine: Engine) -> None:
    embedded = {f"{number:064}": np.full(8, number, dtype=np.float32) for number in range(300)}
    backwards = dict(reversed(embedded.items()))
    keep = [lambda some=some: Corpus(engine).keep_vectors("hash", some) for some in (embedded, backwards) * 3]
    assert at_once(*keep) == [None] * 6
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(vectors)).scalar() == 300


def test_feedback_on_a_trace_that_is_being_settled_finds_it(engine: Engine) -> None:
    writer = Writer(engine)
    log, feedback = Traces(engine, writer), Feedback(engine)
    asked = trace()
    log.submit(asked).result(30)

    def settle() -> None:
        for _ in range(150):
            log.submit(asked).result(30)

    def say() -> None:
        for _ in range(150):
            feedback.give(asked.id, "ann", FeedbackFields(thumb="up"))

    assert at_once(settle, say) == [None, None]
    writer.close()


def test_what_is_read_exclusively_stays_true(engine: Engine) -> None:
    """As budgets do it: read, add, write."""
    with engine.begin() as connection:
        connection.execute(insert(runs).values(id="r", created_at="", name="0", body=""))

    def add() -> None:
        for _ in range(25):
            with exclusive(engine) as connection:
                row = connection.execute(select(runs).where(runs.c.id == "r").with_for_update()).one()
                connection.execute(runs.update().where(runs.c.id == "r").values(name=str(int(row.name) + 1)))

    assert at_once(*[add] * 6) == [None] * 6
    with engine.connect() as connection:
        assert connection.execute(select(runs.c.name)).scalar() == "150"
