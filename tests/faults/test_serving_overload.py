"""Four times as many requests as a server can answer, and the end of a server that is at work."""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from statistics import median

import pytest

from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Outcome
from tests.bench.overload import SECONDS_EACH, SLOTS, VARIANT, overload
from tests.faults.serving import MODES, asked, post, shop, traces
from tests.servers.groundwire import Server, running
from tests.servers.provider import Provider, Reply

ANSWER = "Kettles are covered for 24 months [1]."
SECONDS = 10.0

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Settings:
    return shop(tmp_path_factory.mktemp("overload"), {"default": VARIANT}, new_ledger())


@pytest.fixture
def groundwire(settings: Settings, server: Provider) -> Iterator[Server]:
    with running(settings, "--collection", "shop", "--slots", str(SLOTS), environment=server.environment) as groundwire:
        yield groundwire


async def test_an_overload_is_turned_away_at_once(groundwire: Server, settings: Settings, server: Provider) -> None:
    server.play(lambda _: Reply(pieces=(ANSWER,), first=SECONDS_EACH))
    for mode in MODES:
        assert (await post(groundwire.url, *asked(mode, "Is it warm?"))).status == 200
    found = await overload(groundwire.url, groundwire.process.pid, SECONDS)

    counted = Counter(one.status for one in found.received)
    assert counted.keys() <= {200, 429, 503}
    assert counted[429] > counted[200] > 0.5 * SECONDS * SLOTS / SECONDS_EACH
    rejected = found.seconds(429, 503)
    assert rejected[int(0.99 * len(rejected))] < SECONDS_EACH + 0.6
    assert all(1 <= int(one.headers["retry-after"]) <= 10 for one in found.received if one.status == 429)
    assert max(found.resident[-3:]) < 1.1 * median(found.resident[2:5])

    accepted = [one.trace_id for one in found.received if one.status == 200]
    with Runtime(settings) as runtime:
        left = {trace.id: trace.outcome for trace in traces(runtime) if trace.question != "Is it warm?"}
    assert left == dict.fromkeys(accepted, Outcome.ANSWERED)


async def test_a_server_that_is_ended_finishes_what_it_began(groundwire: Server, settings: Settings, server: Provider) -> None:
    server.play(lambda _: Reply(pieces=ANSWER.partition("covered "), first=0.7, between=0.4))
    questions = [f"How long is the warranty, number {number}?" for number in range(SLOTS)]
    asking = [
        asyncio.create_task(post(groundwire.url, *asked(MODES[number % 4], question)))
        for number, question in enumerate(questions)
    ]
    async with asyncio.timeout(20):
        while len(server.calls) < SLOTS:
            await asyncio.sleep(0.01)
    groundwire.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.4)
    with pytest.raises(ConnectionRefusedError):
        await post(groundwire.url, *asked("chat", "Is anybody there?"))
    answers = await asyncio.gather(*asking)
    assert all(answer.status == 200 and b"24 months" in answer.body for answer in answers)
    assert not any(call.disconnected for call in server.calls)
    async with asyncio.timeout(20):
        while groundwire.process.poll() is None:
            await asyncio.sleep(0.05)
    with Runtime(settings) as runtime:
        found = {trace.question: trace for trace in traces(runtime, questions)}
    assert {found[question].id for question in questions} == {answer.trace_id for answer in answers}
    assert {trace.outcome for trace in found.values()} == {Outcome.ANSWERED}
