"""Allowances: decided in one transaction for all processes, settled exactly, charged whole where nobody knows."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, event, insert, select, text

from api.access.accounts import LIFETIME_SECONDS, Accounts
from api.access.allowance import Allowances
from api.access.keys import Key, Keys
from api.problem import BusyError, ForbiddenError
from rag.errors import StorageError
from rag.ledger.schema import admissions, allowances
from rag.process import HOST
from tests.api.access.races import BUDGET, CONCURRENT, at_once, committed, racers
from tests.commits import Held

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC).timestamp()


class Clock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(engine: Engine, clock: Clock) -> Iterator[Allowances]:
    opened = Allowances(engine, clock)
    yield opened
    opened.close()


def budgeted(engine: Engine, budget: int = 100, concurrent: int | None = None) -> Key:
    return Keys(engine).create("website", daily_nanodollars=budget, concurrent=concurrent)[0]


def spent(engine: Engine, key: Key) -> int:
    with engine.connect() as connection:
        row = connection.execute(select(allowances).where(allowances.c.key_id == key.id)).one()
    return int(row.spent_nanodollars)


def under_way(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(admissions.c.id).order_by(admissions.c.id)).scalars())


async def test_a_request_holds_its_ceiling_and_pays_its_cost(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine)
    async with shared.admitted(key, "a", 60) as settle:
        assert under_way(engine) == ["a"]
        assert spent(engine, key) == 0
        settle(25)
        settle(1)
    assert under_way(engine) == []
    assert spent(engine, key) == 25
    async with shared.admitted(key, "b", 75) as settle:
        settle(75)
    assert spent(engine, key) == 100


def test_only_the_accounts_that_are_asked_for_are_locked(engine: Engine) -> None:
    key, _ = budgeted(engine), budgeted(engine)
    with engine.begin() as connection:
        assert Accounts(connection, {key.id}, NOON).of.keys() == {key.id}


@pytest.mark.parametrize("way", ["not settled", "null", "raised", "cancelled"])
async def test_what_nobody_knows_is_charged_whole(engine: Engine, shared: Allowances, way: str) -> None:
    key = budgeted(engine)

    async def request() -> None:
        async with shared.admitted(key, "a", 60) as settle:
            match way:
                case "null":
                    settle(None)
                case "raised":
                    raise RuntimeError
                case "cancelled":
                    asyncio.current_task().cancel()  # type: ignore[union-attr]
                    await asyncio.sleep(1)

    await asyncio.gather(asyncio.create_task(request()), return_exceptions=True)
    shared.close()
    assert under_way(engine) == []
    assert spent(engine, key) == 60


async def test_a_budget_is_left_as_it_was_by_what_is_refused(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine)
    async with shared.admitted(key, "a", 60) as settle:
        with pytest.raises(BusyError, match="wait for its requests under way") as held:
            await shared.admitted(key, "b", 41).__aenter__()
        assert held.value.retry_after == 1.0
        async with shared.admitted(key, "c", 40) as settle_other:
            settle_other(40)
        settle(60)
    with pytest.raises(BusyError, match=r"may cost \$0\.000000001, and the key website has \$0\.00 left") as gone:
        await shared.admitted(key, "d", 1).__aenter__()
    assert gone.value.retry_after == 12 * 3600
    async with shared.admitted(key, "e", 0) as settle:
        settle(0)
    assert spent(engine, key) == 100


async def test_what_can_never_be_paid_is_forbidden_not_late(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine)
    with pytest.raises(
        ForbiddenError, match="the price of this request is not known, and the key website has a daily budget: ask"
    ):
        await shared.admitted(key, "a", None).__aenter__()
    with pytest.raises(ForbiddenError, match=r"may cost \$0\.000000101, and the key website may spend \$0\.0000001 a day"):
        await shared.admitted(key, "b", 101).__aenter__()
    assert under_way(engine) == []


async def test_without_a_budget_an_unknown_price_is_no_matter(engine: Engine, shared: Allowances) -> None:
    key, _ = Keys(engine).create("website", concurrent=1)
    async with shared.admitted(key, "a", None) as settle:
        with pytest.raises(BusyError, match="has 1 request under way"):
            await shared.admitted(key, "b", None).__aenter__()
        settle(None)
    async with shared.admitted(key, "c", None):
        pass


async def test_a_new_day_begins_at_midnight_utc(engine: Engine, shared: Allowances, clock: Clock) -> None:
    key = budgeted(engine)
    clock.now = NOON + 12 * 3600 - 1
    async with AsyncExitStack() as stack:
        late = await stack.enter_async_context(shared.admitted(key, "a", 60))
        async with shared.admitted(key, "b", 40) as settle:
            settle(40)
        clock.now += 2
        async with shared.admitted(key, "c", 100) as settle:
            late(60)
            settle(30)
    assert spent(engine, key) == 30


async def test_a_key_without_limits_never_reaches_the_database(engine: Engine, shared: Allowances) -> None:
    key, _ = Keys(engine).create("website")
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    async with shared.admitted(key, "a", None) as settle:
        settle(5)
    assert asked == []


async def test_an_empty_bucket_is_not_looked_into_again_before_it_has_a_token(
    engine: Engine, shared: Allowances, clock: Clock
) -> None:
    key, _ = Keys(engine).create("website", per_minute=6)
    async with shared.admitted(key, "a", None) as settle:
        settle(1)
    asked: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    clock.now += 4
    for id in "bcd":
        with pytest.raises(BusyError, match="6 requests a minute") as refused:
            await shared.admitted(key, id, None).__aenter__()
        assert refused.value.retry_after == pytest.approx(6)
    assert asked == []
    clock.now += 6.001
    async with shared.admitted(key, "e", None):
        assert under_way(engine) == []


@pytest.mark.parametrize("back", [3600, 90])
async def test_a_clock_that_is_set_back_shuts_no_key_out(engine: Engine, shared: Allowances, clock: Clock, back: int) -> None:
    key, _ = Keys(engine).create("website", per_minute=6)
    async with shared.admitted(key, "a", None):
        pass
    clock.now -= back
    with pytest.raises(BusyError):
        await shared.admitted(key, "b", None).__aenter__()
    clock.now += 10.001
    shared.require_token(key)
    async with shared.admitted(key, "c", None):
        pass


async def test_what_is_turned_away_after_all_has_used_up_nothing(engine: Engine, shared: Allowances) -> None:
    limited = [
        Keys(engine).create("website", per_minute=6, concurrent=concurrent, daily_nanodollars=budget)[0]
        for concurrent, budget in ((None, None), (1, None), (1, 100))
    ]
    for number, key in enumerate(limited):
        for again in range(3):
            with pytest.raises(BusyError, match="no place"):
                async with shared.admitted(key, f"{number}.{again}", 100):
                    raise BusyError("no place", "wait", retry_after=1)
        assert under_way(engine) == []
        async with shared.admitted(key, f"{number}.last", 100) as settle:
            settle(7)
        assert spent(engine, key) == (7 if key.concurrent else 0)
        with pytest.raises(BusyError, match="6 requests a minute"):
            shared.require_token(key)


async def test_a_rate_is_shared_with_other_processes(engine: Engine, shared: Allowances, clock: Clock) -> None:
    key, _ = Keys(engine).create("website", per_minute=60)
    other = Allowances(engine, clock)
    for number in range(10):
        async with (shared, other)[number % 2].admitted(key, str(number), None):
            pass
    for either in (shared, other):
        with pytest.raises(BusyError):
            await either.admitted(key, "late", None).__aenter__()
    other.close()


def abandoned(engine: Engine, key: Key, owner: str, expires_at: float) -> None:
    row = {"id": "x", "key_id": key.id, "owner": owner, "day": "2026-07-01", "expires_at": expires_at, "reserved_nanodollars": 60}
    with engine.begin() as connection:
        connection.execute(insert(admissions).values(row))


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


async def test_what_a_process_left_that_is_gone_is_charged_whole_and_once(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine, concurrent=1)
    abandoned(engine, key, f"{HOST}:{ended_pid()}:0", NOON + LIFETIME_SECONDS)
    assert await asyncio.to_thread(shared.settle_abandoned) == 1
    assert await asyncio.to_thread(shared.settle_abandoned) == 0
    async with shared.admitted(key, "a", 40) as settle:
        assert under_way(engine) == ["a"]
        assert spent(engine, key) == 60
        settle(40)
    assert spent(engine, key) == 100


async def test_what_another_host_left_is_charged_when_it_expires(engine: Engine, shared: Allowances, clock: Clock) -> None:
    key = budgeted(engine, concurrent=1)
    abandoned(engine, key, "elsewhere:1:0", NOON + 100)
    clock.now += 99
    with pytest.raises(BusyError):
        await shared.admitted(key, "a", 40).__aenter__()
    clock.now += 1
    async with shared.admitted(key, "b", 40) as settle:
        settle(0)
    assert spent(engine, key) == 60


async def test_what_was_charged_when_it_expired_is_not_charged_again(engine: Engine, shared: Allowances, clock: Clock) -> None:
    key = budgeted(engine)
    async with shared.admitted(key, "a", 60) as late:
        clock.now += LIFETIME_SECONDS
        async with shared.admitted(key, "b", 40) as settle:
            settle(0)
        assert spent(engine, key) == 60
        late(10)
    assert spent(engine, key) == 60


async def queued(shared: Allowances, entries: int) -> None:
    """Until so much waits to be decided."""
    async with asyncio.timeout(30):
        while shared._groups._entries.qsize() < entries:
            await asyncio.sleep(0.001)


async def test_requests_that_come_while_one_is_committed_share_the_next(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine, budget=1_000)
    held = Held(engine)

    async def request(number: int) -> bool:
        try:
            async with shared.admitted(key, str(number), 100) as settle:
                await asyncio.sleep(0.05)
                settle(100)
        except BusyError:
            return False
        return True

    first = asyncio.create_task(request(0))
    await asyncio.to_thread(held.wait)
    waiting = [asyncio.create_task(request(number)) for number in range(1, 20)]
    await queued(shared, 19)
    held.let_go()
    assert sum(await asyncio.gather(first, *waiting)) == 10
    assert spent(engine, key) == 1_000
    assert held.commits < 15


async def test_what_ends_makes_room_for_what_is_decided_with_it(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine, concurrent=1)
    ending = shared.admitted(key, "a", 100)
    settle = await ending.__aenter__()
    other, _ = Keys(engine).create("other", concurrent=1)
    held = Held(engine)
    # Kept: what is collected as garbage is over.
    first, second = shared.admitted(other, "held", 0), shared.admitted(key, "b", 60)
    holding = asyncio.create_task(first.__aenter__())
    await asyncio.to_thread(held.wait)
    settle(40)
    next_one = asyncio.create_task(second.__aenter__())
    await queued(shared, 2)
    held.let_go()
    await asyncio.gather(holding, next_one)
    assert held.commits == 2
    assert under_way(engine) == ["b", "held"]


async def test_who_leaves_while_it_is_decided_holds_nothing(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine)
    held = Held(engine)

    async def request(id: str) -> None:
        async with shared.admitted(key, id, 50):
            raise AssertionError("it left before")

    leaving = asyncio.create_task(request("a"))
    await asyncio.to_thread(held.wait)
    next_one = asyncio.create_task(request("b"))
    await queued(shared, 1)
    leaving.cancel()
    next_one.cancel()
    await asyncio.wait({leaving, next_one})
    assert leaving.cancelled()
    assert next_one.cancelled()
    held.let_go()
    await asyncio.to_thread(shared.close)
    assert under_way(engine) == []
    assert spent(engine, key) == 0


async def test_a_ledger_that_cannot_be_written_admits_nobody_and_recovers(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine)

    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE admissions RENAME TO moved"))
    with pytest.raises(StorageError, match=r"no such table: admissions|relation \"admissions\" does not exist"):
        await shared.admitted(key, "a", 50).__aenter__()
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE moved RENAME TO admissions"))
    async with shared.admitted(key, "b", 50) as settle:
        settle(50)
    assert spent(engine, key) == 50


async def test_closing_decides_what_waits(engine: Engine, shared: Allowances) -> None:
    key = budgeted(engine)
    context = shared.admitted(key, "a", 50)
    settle = await context.__aenter__()
    settle(20)
    await asyncio.to_thread(shared.close)
    assert spent(engine, key) == 20
    await context.__aexit__(None, None, None)


@pytest.mark.timeout(120)
async def test_several_processes_never_exceed_a_budget_or_a_number_of_places(engine: Engine) -> None:
    keys = Keys(engine)
    with racers(str(engine.url), 4) as running:
        for concurrent in (None, CONCURRENT, None, CONCURRENT):
            key, _ = keys.create("racing", daily_nanodollars=BUDGET, concurrent=concurrent)
            runs = running.race(key, 200)
            assert len(runs) >= (concurrent or 25)
            assert concurrent is None or at_once(runs) <= concurrent
            assert committed(runs) <= BUDGET
            assert spent(engine, key) == sum(run.charged for run in runs)
            assert under_way(engine) == []
