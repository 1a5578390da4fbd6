"""Slots: more while all goes well, fewer when the provider pushes back, and none lost."""

import asyncio
import time

import pytest

from evals.execution.pace import Pace

pytestmark = pytest.mark.anyio


async def busy(pace: Pace, requests: int, seconds: float = 0.001) -> int:
    """Make so many requests that succeed, as many at once as there are slots; the most that were."""
    most = 0

    async def request() -> None:
        nonlocal most
        await pace.enter()
        most = max(most, pace.under_way)
        await asyncio.sleep(seconds)
        pace.answered()
        pace.leave()

    await asyncio.gather(*(request() for _ in range(requests)))
    return most


async def test_it_doubles_until_the_first_push_back_and_adds_one_from_then_on() -> None:
    pace = Pace(2, 64)
    await busy(pace, 200)
    doubled = pace.slots
    assert doubled >= 16
    assert doubled & (doubled - 1) == 0
    pace.push_back(None)
    assert pace.slots == doubled // 2
    await busy(pace, 3 * pace.slots)
    assert doubled // 2 < pace.slots <= doubled // 2 + 3


async def test_it_never_has_more_than_the_most_nor_fewer_than_one() -> None:
    pace = Pace(8, 10)
    assert await busy(pace, 100) == 10
    assert Pace(8, 2).slots == 2
    alone = Pace(1, 4)
    alone.push_back(None)
    assert alone.slots == 1
    assert await busy(alone, 3) >= 1


async def test_slots_that_nobody_needs_do_not_grow() -> None:
    pace = Pace(8, 64)
    for _ in range(100):
        await pace.enter()
        pace.answered()
        pace.leave()
    assert pace.slots == 8


async def test_failures_do_not_make_it_grow() -> None:
    pace = Pace(2, 64)
    for _ in range(20):
        await pace.enter()
        await pace.enter()
        pace.leave()
        pace.leave()
    assert pace.slots == 2


async def test_push_backs_of_the_same_moment_count_once() -> None:
    pace = Pace(16, 64)
    for _ in range(16):
        pace.push_back(None)
    assert pace.slots == 8


async def test_a_pause_that_was_asked_for_holds_everyone() -> None:
    pace = Pace(4, 64)
    pace.push_back(0.2)
    began = time.monotonic()
    entered: list[float] = []

    async def enter() -> None:
        await pace.enter()
        entered.append(time.monotonic() - began)
        pace.answered()
        pace.leave()

    await asyncio.gather(*(enter() for _ in range(6)))
    assert min(entered) >= 0.19
    assert pace.under_way == 0


async def test_first_come_first_served_though_others_arrive_as_a_slot_is_given_back() -> None:
    pace = Pace(1, 1)
    order: list[int] = []

    async def request(number: int) -> None:
        await pace.enter()
        order.append(number)
        await asyncio.sleep(0)
        pace.answered()
        pace.leave()

    await pace.enter()
    early = [asyncio.create_task(request(number)) for number in range(3)]
    await asyncio.sleep(0)
    pace.answered()
    pace.leave()
    late = [asyncio.create_task(request(number)) for number in range(3, 6)]
    await asyncio.gather(*early, *late)
    assert order == list(range(6))


@pytest.mark.parametrize("handed_over", [False, True], ids=["while waiting", "as its turn comes"])
async def test_who_is_cancelled_takes_no_slot_along(handed_over: bool) -> None:
    pace = Pace(1, 1)
    await pace.enter()
    leaving, staying = asyncio.create_task(pace.enter()), asyncio.create_task(pace.enter())
    await asyncio.sleep(0)
    if handed_over:
        pace.answered()
        pace.leave()
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert leaving.cancelled()
    if not handed_over:
        pace.answered()
        pace.leave()
    await asyncio.wait_for(staying, 30)
    assert pace.under_way == 1
    pace.answered()
    pace.leave()
    await asyncio.wait_for(pace.enter(), 30)


async def test_who_is_cancelled_during_a_pause_gives_the_slot_back() -> None:
    pace = Pace(1, 1)
    pace.push_back(60)
    for _ in range(2):
        paused = asyncio.create_task(pace.enter())
        await asyncio.sleep(0)
        assert pace.under_way == 1
        paused.cancel()
        await asyncio.gather(paused, return_exceptions=True)
        assert paused.cancelled()
        assert pace.under_way == 0


async def test_a_cancelled_waiter_does_not_keep_later_ones_out() -> None:
    pace = Pace(1, 1)
    await pace.enter()
    waiter = asyncio.create_task(pace.enter())
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    pace.answered()
    pace.leave()
    await asyncio.wait_for(pace.enter(), 30)
