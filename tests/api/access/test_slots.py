"""Slots: so many at once, so many in a queue that is kept in order and shared fairly, the others refused at once; and the end of it."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

from api.access.slots import WEIGHT, Slots
from api.problem import BusyError, ClosingError, LateError

pytestmark = pytest.mark.anyio

FOREVER = 1000.0


@asynccontextmanager
async def taken(slots: Slots, whose: str = "", seconds: float = FOREVER) -> AsyncIterator[None]:
    with slots.place(whose) as place:
        await place.turn(seconds)
        yield


class Crowd:
    """Requests that hold their slot until they are told to end."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.begun: list[int] = []
        self.ends: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    async def come(self, *numbers: int, whose: str = "", seconds: float = FOREVER) -> None:
        for number in numbers:
            self.ends[number] = asyncio.Event()
            self.tasks[number] = asyncio.create_task(self._request(number, whose, seconds))
            await asyncio.sleep(0)

    async def _request(self, number: int, whose: str, seconds: float) -> None:
        async with taken(self.slots, whose, seconds):
            self.begun.append(number)
            await self.ends[number].wait()

    async def end(self, *numbers: int) -> None:
        for number in numbers:
            self.ends[number].set()
            await asyncio.wait_for(self.tasks[number], 30)


@pytest.fixture
async def crowd() -> AsyncIterator[Crowd]:
    made = Crowd(Slots(2, 3))
    yield made
    for task in made.tasks.values():
        task.cancel()


async def test_who_finds_no_slot_waits_in_order_and_who_finds_no_place_is_refused_at_once(crowd: Crowd) -> None:
    await crowd.come(1, 2, 3, 4, 5)
    assert crowd.begun == [1, 2]
    assert (crowd.slots.busy, crowd.slots.waiting) == (2, 3)
    with pytest.raises(BusyError, match="ask again in 2 seconds"):
        taken(crowd.slots).__aenter__().send(None)
    await crowd.end(2)
    await crowd.come(6)
    await crowd.end(1, 3, 4, 5)
    assert crowd.begun == [1, 2, 3, 4, 5, 6]
    await crowd.end(6)
    assert (crowd.slots.busy, crowd.slots.waiting) == (0, 0)


async def test_who_leaves_the_queue_makes_room_in_it(crowd: Crowd) -> None:
    await crowd.come(1, 2, 3, 4, 5)
    crowd.tasks[3].cancel()
    await asyncio.wait({crowd.tasks[3]})
    assert crowd.slots.waiting == 2
    await crowd.come(6)
    await crowd.end(1, 2, 4, 5, 6)
    assert crowd.begun == [1, 2, 4, 5, 6]


async def test_a_slot_that_is_handed_to_who_leaves_is_handed_on(crowd: Crowd) -> None:
    await crowd.come(1, 2, 3, 4)
    crowd.ends[1].set()
    await asyncio.sleep(0)  # 1 ends, and 3 is given its slot
    crowd.tasks[3].cancel()
    await asyncio.wait({crowd.tasks[3]})
    assert crowd.begun == [1, 2, 4]
    await crowd.end(2, 4)
    assert crowd.slots.busy == 0


async def test_who_is_leaving_is_passed_over(crowd: Crowd) -> None:
    await crowd.come(1, 2, 3, 4)
    crowd.tasks[3].cancel()
    crowd.ends[1].set()
    await asyncio.wait({crowd.tasks[1], crowd.tasks[3]}, timeout=30)
    await asyncio.sleep(0)
    assert crowd.begun == [1, 2, 4]
    await crowd.end(2, 4)
    assert crowd.slots.busy == 0


async def test_a_request_that_fails_gives_its_slot_back() -> None:
    slots = Slots(1, 0)
    with pytest.raises(RuntimeError):
        async with taken(slots):
            raise RuntimeError
    async with taken(slots):
        assert slots.busy == 1


async def test_the_wait_is_told_by_how_long_requests_took_lately() -> None:
    slots, clock = Slots(2, 1), asyncio.get_running_loop().time
    least = most = slots.seconds
    for _ in range(60):
        came = clock()
        async with taken(slots):
            began = clock()
            await asyncio.sleep(0.01)
            ended = clock()
        least, most = least + WEIGHT * (ended - began - least), most + WEIGHT * (clock() - came - most)
    crowd = Crowd(slots)
    await crowd.come(1, 2, 3)
    with pytest.raises(BusyError) as refused:
        await taken(slots).__aenter__()
    assert 0.01 <= least <= refused.value.retry_after <= most
    await crowd.end(1, 2, 3)


async def test_a_burst_keeps_others_waiting_for_one_request_of_it_at_most() -> None:
    crowd = Crowd(Slots(1, 10))
    await crowd.come(1, 2, 3, 4, whose="busy")
    await crowd.come(5, 6, whose="calm")
    await crowd.come(7, whose="rare")
    await crowd.end(1, 2, 5, 7, 3, 6, 4)
    assert crowd.begun == [1, 2, 5, 7, 3, 6, 4]
    assert (crowd.slots.busy, crowd.slots.waiting) == (0, 0)


async def test_the_longest_line_makes_room_for_those_that_are_shorter(crowd: Crowd) -> None:
    await crowd.come(1, 2, 3, 4, 5, whose="busy")
    with pytest.raises(BusyError):
        await taken(crowd.slots, "busy").__aenter__()
    await crowd.come(6, whose="calm")
    with pytest.raises(BusyError, match="the server answers as many requests as it can: ask again") as refused:
        await crowd.tasks[5]
    assert refused.value.retry_after > 0
    for whose in ("busy", "calm"):
        with pytest.raises(BusyError):
            await taken(crowd.slots, whose).__aenter__()
    assert crowd.slots.waiting == 3
    await crowd.end(1, 2, 3, 6, 4)
    assert crowd.begun == [1, 2, 3, 6, 4]
    assert (crowd.slots.busy, crowd.slots.waiting) == (0, 0)


async def test_a_place_that_is_lost_before_its_turn_is_waited_for_is_told_then() -> None:
    slots = Slots(1, 2)
    with slots.place("busy") as first, slots.place("busy"), slots.place("busy") as last, slots.place("calm") as calm:
        assert slots.waiting == 2
        with pytest.raises(BusyError):
            await last.turn(FOREVER)
        assert (first.has_slot, calm.has_slot) == (True, False)
    assert (slots.busy, slots.waiting) == (0, 0)


async def test_a_slot_is_given_to_who_is_not_ready_for_it_yet() -> None:
    slots = Slots(1, 1)
    with ExitStack() as first:
        first.enter_context(slots.place())
        with slots.place() as preparing:
            assert not preparing.has_slot
            first.close()
            assert preparing.has_slot
            await preparing.turn(FOREVER)
    assert (slots.busy, slots.waiting) == (0, 0)


@pytest.mark.parametrize(("lately", "due", "waited"), [(0.01, 0.05, "0.04"), (30.0, 0.02, "0.01")])
async def test_who_could_not_be_answered_in_time_any_more_is_turned_away(
    crowd: Crowd, lately: float, due: float, waited: str
) -> None:
    await crowd.come(1, 2)
    crowd.slots.seconds = lately
    await crowd.come(3, seconds=due)
    await crowd.come(4)
    with pytest.raises(LateError, match=f"no slot was free for {waited} s, and the answer is due after {due} s: ask") as refused:
        await crowd.tasks[3]
    assert (refused.value.reason, refused.value.retry_after > 0) == ("late", True)
    assert crowd.slots.waiting == 1
    await crowd.end(1, 2, 4)
    assert crowd.begun == [1, 2, 4]
    assert crowd.slots.busy == 0


async def test_a_slot_that_is_free_is_taken_however_little_time_is_left() -> None:
    slots = Slots(1, 0)
    async with taken(slots, seconds=0.0):
        assert slots.busy == 1


async def test_what_is_refused_before_its_turn_tells_nothing_of_how_long_requests_take() -> None:
    slots = Slots(1, 0)
    before = slots.seconds
    with slots.place():
        pass
    assert slots.seconds == before
    async with taken(slots):
        pass
    assert slots.seconds < before


async def test_nothing_is_taken_after_the_end_begins_and_what_was_taken_is_waited_for(crowd: Crowd) -> None:
    await crowd.come(1, 2, 3)
    crowd.slots.close()
    with pytest.raises(ClosingError, match="the server is being stopped: ask again in a moment"):
        await taken(crowd.slots).__aenter__()
    drained = asyncio.create_task(crowd.slots.drained())
    await crowd.end(1, 2)
    await asyncio.sleep(0)
    assert not drained.done()
    assert crowd.begun == [1, 2, 3]
    await crowd.end(3)
    await asyncio.wait_for(drained, 30)


async def test_what_never_began_is_drained() -> None:
    await asyncio.wait_for(Slots(1, 0).drained(), 30)


@pytest.mark.parametrize("leaving", [0.0, 0.3])
async def test_four_times_too_many_are_answered_or_refused_and_no_slot_is_lost(leaving: float) -> None:
    chance = random.Random(7)
    slots, answered, refused, most = Slots(8, 16), 0, 0, 0

    async def request() -> None:
        nonlocal answered, refused, most
        try:
            async with taken(slots, chance.choice("abc")):
                most = max(most, slots.busy)
                await asyncio.sleep(0.002)
                answered += 1
        except BusyError:
            refused += 1

    tasks = []
    for number in range(400):
        tasks.append(asyncio.create_task(request()))
        if chance.random() < leaving:
            asyncio.get_running_loop().call_later(chance.uniform(0, 0.004), chance.choice(tasks).cancel)
        await asyncio.sleep(0.001 if number % 16 == 0 else 0)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    left = sum(isinstance(end, asyncio.CancelledError) for end in ended)
    assert (left > 0) == (leaving > 0)
    assert answered + refused + left >= 400
    assert refused > 0
    assert most == 8
    assert (slots.busy, slots.waiting) == (0, 0)
    await asyncio.wait_for(slots.drained(), 30)
