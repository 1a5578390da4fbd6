"""A hundred clients leave in the middle of their answers: nothing goes on behind them, and what was spent is on record."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from rag.llms.litellm import library
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Outcome
from tests.faults.serving import MODES, Mode, asked, nanodollars, post, shop, traces
from tests.servers.groundwire import served
from tests.servers.provider import Call, Provider, Reply

CLIENTS = 100
PIECES = ("Kettles are covered ", "for 24 months [1]. ", *(f"Word {number} of many. " for number in range(200)))
VARIANT = '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n[retriever]\nabstain = false\n'
SLACK = 3
"""Pieces of a call that are on their way, at most, when its client leaves; each has at most 6 tokens."""


def reply(call: Call) -> Reply:
    """Slow enough to be left, its prompt counted by litellm."""
    prompt = library().token_counter(model=call.body["model"], messages=call.body["messages"])
    return Reply(pieces=PIECES, first=0.3, between=0.5, prompt=prompt)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Settings:
    return shop(tmp_path_factory.mktemp("leaving"), {"default": VARIANT}, new_ledger())


@pytest.fixture(scope="module")
def url(settings: Settings, server: Provider) -> Iterator[str]:
    library().token_counter(model="gpt-4.1-mini", text="loads the tokenizer")
    with served(settings, "--collection", "shop", "--slots", str(2 * CLIENTS), environment=server.environment) as url:
        yield url


@pytest.mark.anyio
@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", MODES)
async def test_everybody_leaves_at_once(url: str, settings: Settings, server: Provider, mode: Mode) -> None:
    server.play(reply)
    questions = [f"How long is the warranty of kettle {number} by {mode}?" for number in range(CLIENTS)]
    clients = [asyncio.create_task(post(url, *asked(mode, question))) for question in questions]
    async with asyncio.timeout(60):
        while len(server.calls) < CLIENTS or not all(call.sent > SLACK for call in server.calls):
            await asyncio.sleep(0.01)
    for client in clients:
        client.cancel()
    left = sum(call.sent for call in server.calls)
    await asyncio.gather(*clients, return_exceptions=True)
    await server.settled()
    assert all(call.disconnected for call in server.calls)
    after = sum(call.sent for call in server.calls) - left

    with Runtime(settings) as runtime:
        async with asyncio.timeout(60):
            while not all(trace.outcome for trace in traces(runtime, questions)):
                await asyncio.sleep(0.05)
        found = traces(runtime, questions)
    assert sorted(trace.question for trace in found) == sorted(questions)
    assert {trace.outcome for trace in found} == {Outcome.DISCONNECTED}
    assert all(trace.estimated and trace.cost_nanodollars for trace in found)
    assert len(server.calls) == CLIENTS
    unread = nanodollars(server.ledger) - sum(trace.cost_nanodollars or 0 for trace in found)
    assert 0 <= unread <= (after + CLIENTS * SLACK) * 6 * 1600


@pytest.mark.anyio
@pytest.mark.parametrize("mode", MODES)
async def test_who_stays_is_not_disturbed(url: str, settings: Settings, server: Provider, mode: Mode) -> None:
    server.script(Reply(pieces=("Kettles are covered ", "for 24 months [1]."), between=0.3, held=True))
    questions = [f"How long is kettle {number} covered by {mode}?" for number in range(20)]
    clients = [asyncio.create_task(post(url, *asked(mode, question))) for question in questions]
    await server.holds(len(questions))
    for client in clients[::2]:
        client.cancel()
    server.let_go()
    answers = await asyncio.gather(*clients[1::2])
    assert all(answer.status == 200 and b"24 months" in answer.body for answer in answers)
    with Runtime(settings) as runtime:
        found = {trace.question: trace for trace in traces(runtime, questions)}
    for answer, question in zip(answers, questions[1::2], strict=True):
        assert found[question].id == answer.trace_id
        assert found[question].cost_nanodollars == 100 * 400 + 7 * 1600
