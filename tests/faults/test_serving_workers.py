"""Two worker processes behind one port: both answer, they agree, one that dies is replaced, and none outlives the command."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from api.access.keys import Keys
from api.rollouts.policy import Kind, Policy
from api.rollouts.rollouts import Rollouts
from rag.ledger.schema import traces
from rag.runtime import Runtime
from rag.settings import Settings
from tests.bench.overload import resident_mb
from tests.faults.serving import asked, post, shop
from tests.rag.llms.conftest import gone
from tests.servers.groundwire import Server, running

VARIANTS = dict.fromkeys(("blue", "green"), '[llm]\nmodel = "local/extractive"\n[retriever]\nabstain = false\n')
REQUESTS = 40
QUESTION = "How long is the warranty on a kettle?"
FRESH_SECONDS = 1.0
"""After so long no worker goes by what was known of keys before."""
STARTED_SECONDS = 90.0
"""By when a worker has started, and both have answered, on a machine that has other things to do."""
BURST = 10
"""Requests that a key of 60 a minute may make at once."""

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Settings:
    return shop(tmp_path_factory.mktemp("workers"), VARIANTS, new_ledger())


@pytest.fixture(scope="module")
def groundwire(settings: Settings) -> Iterator[Server]:
    with running(settings, "--collection", "shop", "--variant", "blue", "--workers", "2") as server:
        yield server


async def burst(url: str, model: str, key: str | None = None) -> list[tuple[int, str]]:
    """Status and trace of requests at once, each on a connection of its own."""
    answers = await asyncio.gather(*(post(url, *asked("chat", QUESTION, model), key=key) for _ in range(REQUESTS)))
    return [(answer.status, answer.headers.get("x-groundwire-trace", "")) for answer in answers]


def pids(settings: Settings, answered: list[tuple[int, str]]) -> set[int]:
    """The processes that answered."""
    with Runtime(settings) as runtime, runtime.engine.connect() as connection:
        wanted = select(traces.c.owner).where(traces.c.id.in_([id for _, id in answered if id]))
        return {int(owner.split(":")[1]) for owner in connection.scalars(wanted)}


async def both(url: str, settings: Settings) -> set[int]:
    """The workers, as soon as there are two that answer."""
    async with asyncio.timeout(STARTED_SECONDS):
        while len(found := pids(settings, await burst(url, "blue"))) < 2:
            await asyncio.sleep(0.2)
    return found


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_both_answer(groundwire: Server, settings: Settings) -> None:
    workers = await both(groundwire.url, settings)
    assert len(workers) == 2
    assert groundwire.process.pid not in workers


async def test_who_watches_them_loads_nothing_of_what_they_answer_with(groundwire: Server) -> None:
    assert resident_mb(groundwire.process.pid) < 64


async def agreed(url: str, settings: Settings, variant: str) -> None:
    """Until both answer by this variant, in one burst."""
    async with asyncio.timeout(STARTED_SECONDS):
        while True:
            answered = [(status, id) for status, id in await burst(url, "shop") if status == 200]
            with Runtime(settings) as runtime:
                names = {runtime.traces.get(id).variant.name for _, id in answered}
            if names == {variant} and len(pids(settings, answered)) == 2:
                return
            await asyncio.sleep(0.1)


async def test_a_switch_comes_to_hold_for_both(groundwire: Server, settings: Settings) -> None:
    with Runtime(settings) as runtime:
        rollouts = Rollouts(runtime.engine)
        rollouts.start(Policy(name="shop", kind=Kind.BLUE_GREEN, control="blue", candidate="green"), VARIANTS, "tests")
        for answering in ("blue", "green", "blue"):
            await agreed(groundwire.url, settings, answering)
            rollouts.switch("shop", "tests")


async def test_a_worker_that_is_killed_is_replaced(groundwire: Server, settings: Settings) -> None:
    before = await both(groundwire.url, settings)
    os.kill(min(before), signal.SIGKILL)
    async with asyncio.timeout(STARTED_SECONDS):
        while True:
            try:
                if len(after := pids(settings, await burst(groundwire.url, "blue"))) == 2 and after != before:
                    break
            except OSError:
                await asyncio.sleep(0.2)
    assert len(before & after) == 1


async def test_a_limit_is_one_for_both(groundwire: Server, settings: Settings) -> None:
    with Runtime(settings) as runtime:
        _, secret = Keys(runtime.engine).create("limited", per_minute=60)
    await asyncio.sleep(FRESH_SECONDS)
    clock = asyncio.get_running_loop().time
    began = clock()
    statuses = [status for status, _ in await burst(groundwire.url, "blue", secret)]
    assert sorted(set(statuses)) == [200, 429]
    # One is due every second.
    assert BURST <= statuses.count(200) <= BURST + (clock() - began) + 1
    assert (await burst(groundwire.url, "blue"))[0][0] == 401


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
async def test_no_worker_outlives_the_command(settings: Settings, end: signal.Signals) -> None:
    with running(settings, "--collection", "shop", "--variant", "blue", "--workers", "2") as server:
        children = children_of(server.process.pid)
        assert len(children) >= 2
        server.process.send_signal(end)
        assert all(gone(pid) for pid in children)
        await asyncio.to_thread(server.process.wait, STARTED_SECONDS)
        with pytest.raises(ConnectionRefusedError):
            await post(server.url, *asked("chat", QUESTION))
