"""A stream of server-sent events stays open, ends cleanly, and ends what it waits for."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from api.events import kept_alive

pytestmark = pytest.mark.anyio
PING = b": ping\n\n"


async def test_silence_is_filled_and_no_line_is_lost() -> None:
    heard = asyncio.Event()

    async def lines() -> AsyncGenerator[bytes, None]:
        # A deadline that is set in one step and passes in another holds only within one task.
        async with asyncio.timeout(60):
            yield b"first"
            await heard.wait()
            yield b"second"
            yield b"third"

    sent: list[bytes] = []
    async for line in kept_alive(lines(), 0.05):
        sent.append(line)
        if sent.count(PING) == 2:
            heard.set()
    assert sent[:3] == [b"first", PING, PING]
    assert [line for line in sent if line != PING] == [b"first", b"second", b"third"]


async def test_lines_that_come_in_time_are_sent_alone() -> None:
    async def lines() -> AsyncGenerator[bytes, None]:
        for _ in range(100):
            yield b"line"

    assert [line async for line in kept_alive(lines(), 5)] == [b"line"] * 100


@pytest.mark.parametrize("waiting", [True, False])
async def test_a_reader_who_leaves_ends_what_is_read(waiting: bool) -> None:
    ended = []

    async def lines() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"line"
                if waiting:
                    await asyncio.sleep(60)
        except (asyncio.CancelledError, GeneratorExit) as left:
            ended.append(type(left))
            raise

    async def read() -> None:
        async for _ in kept_alive(lines(), 60):
            await asyncio.sleep(0 if waiting else 60)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.05)
    reading.cancel()
    await asyncio.wait({reading})
    async with asyncio.timeout(30):
        while not ended:
            await asyncio.sleep(0.01)
    assert len(ended) == 1
