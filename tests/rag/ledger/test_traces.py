"""The log of requests: nothing acknowledged is lost, whatever happens to the process."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, select, update
from uuid_utils import uuid7

from rag.errors import GroundwireError
from rag.ledger.database import connect
from rag.ledger.schema import traces as table
from rag.ledger.traces import Selection, Traces
from rag.ledger.writer import Writer
from rag.llms.base import Attempt, Purpose, Usage
from rag.process import OWNER
from rag.trace import Channel, Outcome, Trace, Versions, dollars
from rag.variant import Model, Validation, Variant

VERSIONS = Versions(code="c", variant="v", prompts={"answer@1": "p"}, generation="g", embedder="e", validator="x")


def trace(question: str = "why?", **fields: object) -> Trace:
    return Trace(
        id=str(uuid7()),
        created_at="2026-01-01T00:00:00.000+00:00",
        channel=Channel.ASK,
        collection="guide",
        variant=Variant(name="default"),
        versions=VERSIONS,
        question=question,
    ).model_copy(update=fields)


@pytest.fixture
def traces(ledger_url: str) -> Iterator[Traces]:
    engine = connect(ledger_url)
    writer = Writer(engine)
    yield Traces(engine, writer)
    writer.close()
    engine.dispose()


@pytest.mark.anyio
async def test_a_settled_trace_replaces_the_row_it_began_with(traces: Traces) -> None:
    began = trace()
    await traces.record(began)
    assert traces.get(began.id).outcome is None
    ended = began.model_copy(update={"outcome": Outcome.ANSWERED, "answer": "because"})
    await traces.record(ended)
    assert traces.latest(10) == [ended]


@pytest.mark.anyio
async def test_requests_at_the_same_time_share_commits_and_all_are_kept(traces: Traces) -> None:
    many = [trace(str(number)) for number in range(500)]
    await asyncio.gather(*map(traces.record, many))
    assert {found.question for found in traces.latest(1000)} == {str(number) for number in range(500)}


@pytest.mark.anyio
async def test_a_trace_is_found_by_the_beginning_of_its_id(traces: Traces) -> None:
    only = trace()
    await traces.record(only)
    assert traces.get(only.id[:30]) == only
    with pytest.raises(GroundwireError, match="no trace has the id nothing"):
        traces.get("nothing")
    await traces.record(trace())
    with pytest.raises(GroundwireError, match="more than one"):
        traces.get(only.id[:2])


@pytest.mark.anyio
async def test_what_a_dead_process_left_running_ends_as_failed(traces: Traces) -> None:
    mine, dead, reused = trace("mine"), trace("dead"), trace("reused")
    for one in (mine, dead, reused):
        await traces.record(one)
    host, pid, _ = OWNER.split(":")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    with traces.engine.begin() as connection:
        connection.execute(update(table).where(table.c.id == dead.id).values(owner=f"{host}:{gone.pid}:x"))
        connection.execute(update(table).where(table.c.id == reused.id).values(owner=f"{host}:{pid}:earlier"))
        # What a newer version wrote is left to it.
        newer = trace("newer")
        row = {**connection.execute(select(table).where(table.c.id == dead.id)).one()._mapping, "id": newer.id}
        connection.execute(insert(table).values({**row, "owner": f"{host}:{gone.pid}:x", "body": '{"newer": 1}'}))
    assert traces.settle_abandoned() == 2
    assert traces.get(mine.id).outcome is None
    assert {traces.get(one.id).outcome for one in (dead, reused)} == {Outcome.FAILED}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("variant", "cost"),
    [
        (Variant(name="v", llm=Model(model="openai/gpt-4.1-mini")), None),
        (Variant(name="v", llm=Model(model="local/smollm2", fallbacks=("openai/gpt-4.1-mini",))), None),
        (Variant(name="v", validator=Validation(judge="openai/gpt-4.1-mini")), None),
        (Variant(name="v", llm=Model(model="local/smollm2", fallbacks=("local/extractive",))), 0),
    ],
    ids=["model", "fallback", "judge", "local"],
)
async def test_what_an_abandoned_request_cost_is_not_known_unless_nothing_is_billed(
    traces: Traces, variant: Variant, cost: int | None
) -> None:
    dead = trace(variant=variant)
    await traces.record(dead)
    with traces.engine.begin() as connection:
        assert connection.execute(select(table.c.cost_nanodollars)).scalar_one() is None
        connection.execute(update(table).values(owner=OWNER + "earlier"))
    assert traces.settle_abandoned() == 1
    found = traces.get(dead.id)
    assert (found.outcome, found.cost_nanodollars, found.estimated, found.answered_by) == (Outcome.FAILED, cost, False, None)
    assert [summary.cost_nanodollars for summary in traces.page(Selection()).summaries] == [cost]


@pytest.mark.anyio
async def test_a_log_that_cannot_be_written_is_told_to_the_one_who_waits(traces: Traces) -> None:
    await traces.record(trace())
    with traces.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE traces")
    with pytest.raises(GroundwireError, match="cannot be used"):
        await traces.record(trace())


def test_tokens_and_money_add_up_and_an_unknown_price_is_not_zero() -> None:
    def attempt(cost: int | None) -> Attempt:
        usage = Usage(prompt=10, completion=3, cached=4)
        return Attempt(purpose=Purpose.ANSWER, model="m", started_ms=0, total_ms=1, usage=usage, cost_nanodollars=cost)

    ended = Outcome.ANSWERED
    assert trace(outcome=ended, attempts=(attempt(5), attempt(7))).cost_nanodollars == 12
    assert trace(outcome=ended, attempts=(attempt(5), attempt(7))).usage == Usage(prompt=20, completion=6, cached=8)
    assert trace(outcome=ended, attempts=(attempt(5), attempt(None))).cost_nanodollars is None
    assert (trace(outcome=ended).cost_nanodollars, trace().cost_nanodollars) == (0, None)
    assert [dollars(cost) for cost in (None, 0, 123, 1_500_000_000)] == ["unknown", "$0.00", "$0.000000123", "$1.50"]
    assert dollars(123, estimated=True) == "about $0.000000123"


def write_until_killed(place: str, acknowledged: Path) -> None:
    """Record traces from 8 tasks at once, and append the id of each that was acknowledged."""

    async def write(log: Traces, file: int) -> None:
        async def one() -> None:
            while True:
                kept = trace()
                await log.record(kept)
                os.write(file, f"{kept.id}\n".encode())

        await asyncio.gather(*(one() for _ in range(8)))

    engine = connect(place)
    asyncio.run(write(Traces(engine, Writer(engine)), os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)))


def test_kill_9_while_logging_loses_nothing_that_was_acknowledged(ledger_url: str, tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"
    kills = 20 if ledger_url.startswith("sqlite") else 10
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload([__name__, "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql.psycopg"])
    acknowledged.touch()
    engine = connect(ledger_url)
    for number in range(kills):
        before = acknowledged.stat().st_size
        writer = processes.Process(target=write_until_killed, args=(ledger_url, acknowledged))
        writer.start()
        while acknowledged.stat().st_size < before + 37 * (1 + 7 * (number % 10)):
            time.sleep(0.001)
        writer.kill()
        writer.join()
    kept = {found.id for found in Traces(engine, Writer(engine)).latest(1_000_000)}
    engine.dispose()
    told = set(acknowledged.read_text().split())
    assert len(told) >= kills
    assert told <= kept


@pytest.mark.anyio
async def test_a_failed_commit_that_nobody_waits_for_does_not_end_the_writer(traces: Traces) -> None:
    await traces.record(trace())
    with traces.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE traces RENAME TO away")
        entries = [traces.submit(trace()) for _ in range(3)]
        entries[1].cancel()
    assert entries[0].exception(timeout=60)
    with traces.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO traces")
    kept = trace()
    await traces.record(kept)
    assert traces.get(kept.id) == kept


@pytest.mark.anyio
async def test_a_trace_that_cannot_be_written_down_harms_no_other(traces: Traces) -> None:
    kept = trace()
    with pytest.raises(ValueError, match="surrogates"):
        traces.submit(trace("\ud83d"))
    await traces.record(kept)
    assert traces.latest(10) == [kept]
