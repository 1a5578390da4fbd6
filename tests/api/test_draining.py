"""A server that ends loses nothing: it says so, answers who asks still, lets the rest go elsewhere, and finishes what it has begun."""

import asyncio
import signal
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.draining import stop_accepting
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Outcome
from tests.faults.serving import asked, post, shop, traces
from tests.servers.groundwire import running
from tests.servers.provider import Provider, Reply

MODEL = '[llm]\nmodel = "openai/gpt-4.1-mini"\n[retriever]\nabstain = false\n'
SERVING = ("--collection", "shop", "--variant", "plain")
QUESTION = "How long is the warranty on a kettle?"
DRAIN = 6
"""Seconds."""

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return shop(tmp_path_factory.mktemp("draining"), {"plain": MODEL})


@pytest.mark.parametrize("workers", [1, 2])
async def test_it_says_so_at_once_answers_for_a_while_and_finishes_what_it_has_begun(
    settings: Settings, server: Provider, workers: int
) -> None:
    server.play(lambda call: Reply(held="slow" in call.text))
    options = (*SERVING, "--drain", str(DRAIN), "--workers", str(workers))
    with running(settings, *options, environment=server.environment) as groundwire:
        slow = [f"How slow is number {number} of {workers}?" for number in range(4)]
        under_way = [asyncio.create_task(post(groundwire.url, *asked("chat", question, "plain"))) for question in slow]
        await server.holds(len(slow))
        groundwire.process.send_signal(signal.SIGTERM)
        signalled = time.monotonic()
        answers = 0
        async with httpx.AsyncClient(base_url=groundwire.url, timeout=30) as client:
            while (await client.get("/readyz")).status_code == 200:
                assert time.monotonic() < signalled + DRAIN
                await asyncio.sleep(0.02)
            with pytest.raises(httpx.ConnectError):
                while True:
                    answer = await client.post("/chat", json={"question": QUESTION})
                    assert (answer.status_code, answer.headers["connection"]) == (200, "close")
                    answers += 1
        assert answers > 0
        assert time.monotonic() > signalled + DRAIN
        assert not any(task.done() for task in under_way)
        server.let_go()
        assert [answer.status for answer in await asyncio.gather(*under_way)] == [200] * len(slow)
        assert await asyncio.to_thread(groundwire.process.wait, 90) == 0
    with Runtime(settings) as runtime:
        assert {trace.outcome for trace in traces(runtime, slow)} == {Outcome.ANSWERED}
        assert all(trace.outcome for trace in traces(runtime))


async def test_a_second_signal_ends_the_waiting(settings: Settings, server: Provider) -> None:
    with running(settings, *SERVING, "--drain", "60", environment=server.environment) as groundwire:
        groundwire.process.send_signal(signal.SIGTERM)
        async with httpx.AsyncClient(base_url=groundwire.url, timeout=30) as client:
            while (await client.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.02)
        groundwire.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(groundwire.process.wait, 90) == 0


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    family, host = request.param
    if family == socket.AF_INET6 and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with socket.create_server((host, 0), family=family) as opened:
        opened.setblocking(False)
        yield opened


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can leave attempts to connect without an answer")
def test_a_deaf_socket_takes_what_has_begun_and_nothing_new_and_refuses_once_it_is_closed(listener: socket.socket) -> None:
    place = listener.getsockname()[:2]
    with socket.create_connection(place, 5) as begun, socket.socket(listener.family) as late:
        stop_accepting(listener)
        late.settimeout(0.3)
        with pytest.raises(TimeoutError):
            late.connect(place)
        begun.sendall(b"asked before it was accepted")
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.recv(100) == b"asked before it was accepted"
            with pytest.raises(BlockingIOError):
                listener.accept()
            listener.close()
            begun.sendall(b"and after it was closed")
            assert accepted.recv(100) == b"and after it was closed"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(place, 5)
