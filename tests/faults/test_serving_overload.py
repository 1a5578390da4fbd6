"""Four times as many requests as a server can answer, and the end of a server that is at work."""

import asyncio
import signal
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from statistics import median
from urllib.parse import urlsplit

import pytest

from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Outcome
from tests.bench.overload import SECONDS_EACH, SLOTS, TIMES, VARIANT, overload
from tests.faults.serving import MODES, asked, post, shop, traces
from tests.servers.groundwire import Server, running
from tests.servers.provider import Provider, Reply

ANSWER = "Kettles are covered for 24 months [1]."
SECONDS = 10.0

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Settings:
    return shop(tmp_path_factory.mktemp("overload"), {"default": VARIANT}, new_ledger())


async def listens(url: str) -> bool:
    """Whether anybody takes connections there."""
    place = urlsplit(url)
    with socket.socket() as trying:
        return await asyncio.to_thread(trying.connect_ex, (place.hostname, place.port)) == 0


@pytest.fixture
def groundwire(settings: Settings, server: Provider) -> Iterator[Server]:
    with running(settings, "--collection", "shop", "--slots", str(SLOTS), environment=server.environment) as groundwire:
        yield groundwire


async def test_an_overload_is_turned_away_and_leaves_nothing_behind(
    groundwire: Server, settings: Settings, server: Provider
) -> None:
    server.play(lambda _: Reply(pieces=(ANSWER,), first=SECONDS_EACH))
    for mode in MODES:
        assert (await post(groundwire.url, *asked(mode, "Is it warm?"))).status == 200
    found = await overload(groundwire.url, groundwire.process.pid, SECONDS)

    counted = Counter(one.status for one in found.received)
    assert counted.keys() <= {200, 429, 503}
    assert counted[429] > 0 < counted[200]
    assert all(1 <= int(one.headers["retry-after"]) <= 10 for one in found.received if one.status == 429)
    assert max(found.resident[-3:]) < 1.1 * median(found.resident[2:5])

    accepted = [one.trace_id for one in found.received if one.status == 200]
    with Runtime(settings) as runtime:
        left = {trace.id: trace.outcome for trace in traces(runtime) if trace.question != "Is it warm?"}
    assert left == dict.fromkeys(accepted, Outcome.ANSWERED)


async def test_who_finds_no_place_is_told_while_nobody_is_answered(groundwire: Server, server: Provider) -> None:
    server.script(Reply(pieces=(ANSWER,), held=True))
    asking = [
        asyncio.create_task(post(groundwire.url, *asked(MODES[number % 4], f"How long is the warranty of kettle {number}?")))
        for number in range(TIMES * SLOTS)
    ]
    await server.holds(SLOTS)
    places = SLOTS + SLOTS // 2
    async with asyncio.timeout(60):
        while sum(task.done() for task in asking) < len(asking) - places:
            await asyncio.sleep(0.01)
    assert {task.result().status for task in asking if task.done()} == {429}
    server.let_go()
    assert Counter(answer.status for answer in await asyncio.gather(*asking)) == {200: places, 429: len(asking) - places}


async def test_a_server_that_is_ended_finishes_what_it_began(groundwire: Server, settings: Settings, server: Provider) -> None:
    server.script(Reply(pieces=ANSWER.partition("covered "), between=0.4, held=True))
    questions = [f"How long is the warranty, number {number}?" for number in range(SLOTS)]
    asking = [
        asyncio.create_task(post(groundwire.url, *asked(MODES[number % 4], question)))
        for number, question in enumerate(questions)
    ]
    await server.holds(SLOTS)
    groundwire.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(60):
        while await listens(groundwire.url):
            await asyncio.sleep(0.05)
    assert groundwire.process.poll() is None
    server.let_go()
    answers = await asyncio.gather(*asking)
    assert all(answer.status == 200 and b"24 months" in answer.body for answer in answers)
    assert not any(call.disconnected for call in server.calls)
    async with asyncio.timeout(60):
        while groundwire.process.poll() is None:
            await asyncio.sleep(0.05)
    with Runtime(settings) as runtime:
        found = {trace.question: trace for trace in traces(runtime, questions)}
    assert {found[question].id for question in questions} == {answer.trace_id for answer in answers}
    assert {trace.outcome for trace in found.values()} == {Outcome.ANSWERED}
