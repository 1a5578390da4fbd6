"""The way of a request: who answers it, what it is charged to, and what is left of it when it is refused."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, aclosing
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from api import gateway as gateways
from api.access.allowance import Allowances
from api.access.keys import Key, Keys
from api.access.slots import Slots
from api.access.spending import spent_today
from api.gateway import Gateway, GatewayRequest
from api.problem import BusyError, ForbiddenError, LateError
from api.rollouts.policy import Kind, Policy
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Change
from rag.errors import ConfigurationError, GroundwireError, NotFoundError
from rag.events import Delta
from rag.ledger import database, schema
from rag.ledger.copying import copy
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel, Outcome, Trace
from tests.servers.provider import Provider, Reply

pytestmark = pytest.mark.anyio
VARIANTS = {
    "plain": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n',
    "other": '[llm]\nmodel = "openai/gpt-4.1"\nattempts = 1\n',
    "free": '[llm]\nmodel = "local/extractive"\n',
    "hasty": '[llm]\nmodel = "local/extractive"\ntotal_seconds = 0.2\n',
}
ASKED = GatewayRequest(question="How long is the warranty on a kettle?", channel=Channel.CHAT)
COST = 100 * 400 + 7 * 1600


@pytest.fixture
async def gateway(
    shop: Settings, provider: Provider, tmp_path: Path, new_ledger: Callable[[], str | None]
) -> AsyncIterator[Gateway]:
    """Over a ledger of its own."""
    shutil.copytree(shop.home, tmp_path / "home")
    for name, text in VARIANTS.items():
        (tmp_path / f"{name}.toml").write_text(text)
    ledger = new_ledger()
    if ledger:
        with database.opened(shop.ledger_url) as source, database.opened(ledger) as target:
            copy(source, target)
    with Runtime(Settings(home=tmp_path / "home", ledger=ledger, variants=tmp_path)) as runtime:
        with runtime.engine.begin() as connection:
            connection.execute(delete(schema.traces))
        allowances = Allowances(runtime.engine)
        opened = Gateway(runtime, Rollouts(runtime.engine), Slots(2, 0), allowances, collection="shop", model="plain")
        provider.script()
        yield opened
        await opened.close()
        await runtime.router.close()
        allowances.close()


def key(gateway: Gateway, **limits: object) -> Key:
    return Keys(gateway.runtime.engine).create("team", **limits)[0]  # type: ignore[arg-type]


def spent(gateway: Gateway, key: Key) -> int:
    return spent_today(gateway.runtime.engine, [key])[key.id]


def start(gateway: Gateway, kind: Kind, **fields: object) -> None:
    policy = Policy.model_validate({"name": "answers", "kind": kind, "control": "plain", "candidate": "other", **fields})
    gateway.rollouts.start(policy, VARIANTS, "test")


def traces(gateway: Gateway) -> list[Trace]:
    return gateway.runtime.traces.latest(100)


async def ended(gateway: Gateway) -> list[Trace]:
    """All traces, once none runs any more."""
    while any(trace.outcome is None for trace in traces(gateway)):
        await asyncio.sleep(0.02)
    return traces(gateway)


async def test_a_request_is_answered_by_what_it_names_and_charged_to_its_key(gateway: Gateway) -> None:
    team = key(gateway, daily_nanodollars=1_000_000_000)
    trace = await gateway.answer(ASKED.model_copy(update={"user": "ada@example.org"}), team)
    assert (trace.outcome, trace.variant.name, trace.origin.key) == (Outcome.ANSWERED, "plain", team.id)
    assert trace.cost_nanodollars == COST
    assert spent(gateway, team) == COST
    assert gateway.runtime.traces.get(trace.id) == trace
    assert "ada@" not in trace.model_dump_json()


async def test_a_user_stays_with_a_variant_whatever_key_asks(gateway: Gateway) -> None:
    """A key is changed by making another one."""
    start(gateway, Kind.AB)
    team = [key(gateway), key(gateway), None]
    for number in range(6):
        asked = ASKED.model_copy(update={"user": f"user {number}", "model": "answers"})
        origins = [(await gateway.answer(asked, one)).origin for one in team]
        assert len({(origin.unit, origin.arm) for origin in origins}) == 1
    assert len({trace.origin.unit for trace in traces(gateway)}) == 6
    assert {trace.origin.arm for trace in traces(gateway)} == {"control", "candidate"}


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"collection": "secrets"}, ForbiddenError),
        ({"model": "other"}, ForbiddenError),
        ({"model": "plain", "question": "  "}, GroundwireError),
    ],
)
async def test_what_is_refused_leaves_no_trace_and_holds_nothing(
    gateway: Gateway, asked: dict[str, str], error: type[Exception]
) -> None:
    team = key(gateway, collections=["shop"], models=["plain"], daily_nanodollars=1_000_000_000, concurrent=1)
    for _ in range(2):
        with pytest.raises(error):
            await gateway.answer(ASKED.model_copy(update=asked), team)
    assert traces(gateway) == []
    with gateway.runtime.engine.connect() as connection:
        while connection.execute(select(schema.admissions)).all():
            await asyncio.sleep(0.01)
    assert spent(gateway, team) == 0
    assert gateway.slots.busy == 0


async def test_an_unknown_variant_is_refused_with_those_there_are(gateway: Gateway) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        await gateway.answer(ASKED.model_copy(update={"model": "nobody"}), None)
    assert gateway.slots.busy == 0


async def test_a_price_that_is_not_known_cannot_be_charged_to_a_budget(gateway: Gateway) -> None:
    (gateway.runtime.settings.variants / "odd.toml").write_text('[llm]\nmodel = "openai/nobody-knows"\n')
    with pytest.raises(ForbiddenError, match="price"):
        await gateway.answer(ASKED.model_copy(update={"model": "odd"}), key(gateway, daily_nanodollars=10**12))
    assert traces(gateway) == []


async def test_who_finds_no_slot_is_told_at_once(gateway: Gateway, provider: Provider) -> None:
    provider.script(Reply(held=True))
    asking = [asyncio.create_task(gateway.answer(ASKED, None)) for _ in range(3)]
    done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
    assert [type(task.exception()) for task in done] == [BusyError]
    provider.let_go()
    answered = await asyncio.gather(*(task for task in asking if task not in done))
    assert [trace.outcome for trace in answered] == [Outcome.ANSWERED] * 2
    assert gateway.slots.busy == 0


@pytest.mark.parametrize(("limit", "reason"), [({"per_minute": 1}, "rate"), ({"concurrent": 1}, "concurrency")])
async def test_what_a_key_may_not_do_is_told_before_it_waits_for_a_slot(
    gateway: Gateway, limit: dict[str, int], reason: str
) -> None:
    gateway.slots = Slots(1, 1)
    team = key(gateway, **limit)
    async with AsyncExitStack() as under_way:
        await under_way.enter_async_context(gateway.allowances.admitted(team, "other", None))
        place = under_way.enter_context(gateway.slots.place())
        with pytest.raises(BusyError) as refused:
            await gateway.answer(ASKED, team)
        assert refused.value.reason == reason
        assert (place.has_slot, gateway.slots.waiting) == (True, 0)


async def test_a_key_whose_bucket_is_empty_costs_no_look_at_anything(gateway: Gateway) -> None:
    team = key(gateway, per_minute=1)
    await gateway.answer(ASKED.model_copy(update={"model": "free"}), team)
    with pytest.raises(BusyError, match="1 request a minute"):
        await gateway.answer(ASKED.model_copy(update={"model": "nobody"}), team)


@pytest.mark.parametrize("limits", [{"per_minute": 1}, {"per_minute": 1, "concurrent": 1, "daily_nanodollars": 10**9}])
@pytest.mark.parametrize("way", ["late", "overtaken", "no place"])
async def test_who_got_no_slot_is_charged_nothing(gateway: Gateway, limits: dict[str, int], way: str) -> None:
    gateway.slots = Slots(1, 0 if way == "no place" else 2)
    team = key(gateway, **limits)
    asked = ASKED.model_copy(update={"model": "hasty" if way == "late" else "free"})
    with ExitStack() as others:
        others.enter_context(gateway.slots.place("others"))
        if way == "overtaken":
            others.enter_context(gateway.slots.place(team.id))
        asking = asyncio.create_task(gateway.answer(asked, team))
        while way == "overtaken" and not admitted(gateway, team):
            await asyncio.sleep(0.01)
        if way == "overtaken":
            others.enter_context(gateway.slots.place("another"))
        with pytest.raises(LateError if way == "late" else BusyError):
            await asking
    assert traces(gateway) == []
    assert (await gateway.answer(ASKED.model_copy(update={"model": "free"}), team)).outcome is Outcome.ANSWERED
    assert spent(gateway, team) == 0


def admitted(gateway: Gateway, key: Key) -> bool:
    """Whether the only token of a key is taken."""
    with gateway.runtime.engine.connect() as connection:
        row = connection.execute(select(schema.allowances).where(schema.allowances.c.key_id == key.id)).one()
    return bool(row.refilled_at)


async def test_a_switch_holds_for_who_waits_for_a_slot(gateway: Gateway) -> None:
    start(gateway, Kind.BLUE_GREEN)
    gateway.slots = Slots(1, 1)
    team = key(gateway, per_minute=1, concurrent=1, daily_nanodollars=10**9)
    with gateway.slots.place():
        asking = asyncio.create_task(gateway.answer(ASKED.model_copy(update={"model": "answers"}), team))
        while not admitted(gateway, team):
            await asyncio.sleep(0.01)
        gateway.rollouts.switch("answers", "test")
    trace = await asking
    assert (trace.variant.name, trace.origin.arm, trace.outcome) == ("other", "candidate", Outcome.ANSWERED)
    assert spent(gateway, team) == trace.cost_nanodollars
    with gateway.runtime.engine.connect() as connection:
        assert connection.execute(select(schema.admissions)).all() == []


async def test_who_waits_while_a_stage_begins_is_answered_by_its_share(gateway: Gateway) -> None:
    """Nobody is named, so that each request is assigned by itself. Half, but for one case in a million."""
    start(gateway, Kind.CANARY, control="free", stages=[0.01, 50, 100])
    gateway.slots = Slots(40, 400)
    with ExitStack() as others:
        for _ in range(40):
            others.enter_context(gateway.slots.place("others"))
        asked = ASKED.model_copy(update={"model": "answers"})
        asking = [asyncio.create_task(gateway.answer(asked, None)) for _ in range(300)]
        while gateway.slots.waiting < 300:
            await asyncio.sleep(0.01)
        before = gateway.rollouts.get("answers")
        gateway.rollouts.step(before, Change.ADVANCED, before.state.model_copy(update={"stage": 1}), "test")
    arms = [trace.origin.arm for trace in await asyncio.gather(*asking)]
    assert abs(arms.count("candidate") / len(arms) - 0.5) < 0.145


async def test_a_burst_of_one_key_leaves_the_others_their_places(gateway: Gateway) -> None:
    gateway.slots = Slots(1, 3)
    greedy, modest = key(gateway), key(gateway)
    free = ASKED.model_copy(update={"model": "free"})
    with gateway.slots.place("others"):
        burst = [asyncio.create_task(gateway.answer(free, greedy)) for _ in range(10)]
        await asyncio.sleep(0)
        single = asyncio.create_task(gateway.answer(free, modest))
        await asyncio.wait(burst, return_when=asyncio.FIRST_EXCEPTION)
        assert not single.done()
    assert (await single).outcome is Outcome.ANSWERED
    refused = [end for end in await asyncio.gather(*burst, return_exceptions=True) if isinstance(end, BusyError)]
    assert len(refused) == 8


async def test_the_wait_for_a_slot_is_of_the_requests_time(gateway: Gateway) -> None:
    gateway.slots = Slots(1, 1)
    with gateway.slots.place():
        asking = asyncio.create_task(gateway.answer(ASKED.model_copy(update={"model": "free"}), None))
        await asyncio.sleep(0.3)
    trace = await asking
    assert 250 < trace.stages["queue"] < (trace.total_ms or 0)


async def test_a_reader_who_leaves_frees_the_slot_and_pays_for_what_was_written(gateway: Gateway, provider: Provider) -> None:
    provider.script(Reply(pieces=("Kettles are ", "covered ", "for long."), between=0.3))
    team = key(gateway, daily_nanodollars=1_000_000_000, concurrent=1)
    async with aclosing(gateway.stream(ASKED, team)) as events:
        async for event in events:
            if isinstance(event, Delta):
                break
    assert gateway.slots.busy == 0
    (trace,) = await ended(gateway)
    assert trace.outcome is Outcome.DISCONNECTED
    assert trace.cost_nanodollars
    assert (await gateway.answer(ASKED, team)).outcome is Outcome.ANSWERED
    assert spent(gateway, team) == trace.cost_nanodollars + COST


async def test_a_shadow_answers_a_copy_that_nobody_waits_for_or_pays(gateway: Gateway, provider: Provider) -> None:
    start(gateway, Kind.SHADOW, share=100)
    team = key(gateway, daily_nanodollars=1_000_000_000)
    provider.play(lambda call: Reply(held=call.body["model"] == "gpt-4.1"))
    trace = await gateway.answer(ASKED.model_copy(update={"model": "answers", "user": "ada"}), team)
    assert (trace.variant.name, trace.origin.experiment, trace.origin.arm) == ("plain", "answers", "control")
    assert len(gateway._shadows) == 1
    await provider.holds(1)
    provider.let_go()
    (copy,) = [one for one in await ended(gateway) if one.id != trace.id]
    assert (copy.channel, copy.variant.name, copy.question) == (Channel.SHADOW, "other", trace.question)
    assert copy.origin == trace.origin.model_copy(update={"arm": "candidate", "shadow_of": trace.id})
    assert copy.cost_nanodollars == 100 * 2000 + 7 * 8000
    assert spent(gateway, team) == COST


async def test_copies_of_a_key_cost_no_more_than_its_budget(gateway: Gateway) -> None:
    """Though its own requests cost nothing."""
    start(gateway, Kind.SHADOW, share=100, control="free")
    pipeline = await gateway.runtime.pipeline("other", "shop")
    ceiling = pipeline.max_cost(ASKED.question)
    assert ceiling is not None
    cost = 100 * 2000 + 7 * 8000
    team = key(gateway, daily_nanodollars=ceiling + cost)
    for _ in range(4):
        await gateway.answer(ASKED.model_copy(update={"model": "answers"}), team)
        while gateway._shadows:
            await asyncio.sleep(0.02)
    found = await ended(gateway)
    assert [trace.channel for trace in found].count(Channel.SHADOW) == 2
    assert spent(gateway, team) == 0


async def test_copies_beyond_a_few_are_left_out(gateway: Gateway, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateways, "SHADOWS", 1)
    start(gateway, Kind.SHADOW, share=100)
    provider.play(lambda call: Reply(held=call.body["model"] == "gpt-4.1"))
    asked = ASKED.model_copy(update={"model": "answers"})
    for _ in range(3):
        await gateway.answer(asked, None)
        assert len(gateway._shadows) == 1
    await provider.holds(1)
    await gateway.close()
    assert sorted((trace.channel, trace.outcome) for trace in await ended(gateway)) == [
        *[(Channel.CHAT, Outcome.ANSWERED)] * 3,
        (Channel.SHADOW, Outcome.DISCONNECTED),
    ]


async def test_a_user_is_answered_by_one_arm_each_time(gateway: Gateway) -> None:
    start(gateway, Kind.AB)
    for user in ("ada", "bob", "cleo", "dan"):
        asked = ASKED.model_copy(update={"model": "answers", "user": user})
        answered = [(await gateway.answer(asked, None)).variant.name for _ in range(2)]
        assert len(set(answered)) == 1
    assert {trace.variant.name for trace in traces(gateway)} == {"plain", "other"}


@pytest.mark.parametrize("broken", ['[prompts]\nanswer = "answer@99"\n', "llm = 7\n", '[llm]\nmodel = "nobody/nothing"\n'])
async def test_a_candidate_that_cannot_be_used_is_taken_back_at_once(gateway: Gateway, broken: str) -> None:
    start(gateway, Kind.CANARY, stages=[99, 100])
    (gateway.runtime.settings.variants / "other.toml").write_text(broken)
    for _ in range(5):
        trace = await gateway.answer(ASKED.model_copy(update={"model": "answers"}), None)
        assert (trace.outcome, trace.variant.name) == (Outcome.ANSWERED, "plain")
    assert "cannot be used" in gateway.rollouts.get("answers").state.why


async def test_a_collection_that_is_not_there_is_no_fault_of_the_candidate(gateway: Gateway) -> None:
    start(gateway, Kind.CANARY, stages=[99, 100])
    for _ in range(5):
        with pytest.raises(NotFoundError):
            await gateway.answer(ASKED.model_copy(update={"model": "answers", "collection": "nope"}), None)
    assert not gateway.rollouts.get("answers").state.ended


async def test_a_variant_that_is_broken_is_no_fault_of_who_asks(gateway: Gateway) -> None:
    (gateway.runtime.settings.variants / "plain.toml").write_text("llm = 7\n")
    with pytest.raises(ConfigurationError):
        await gateway.answer(ASKED, None)
