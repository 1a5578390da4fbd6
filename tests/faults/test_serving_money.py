"""What the traces say was spent is what the provider's own ledger says, to the nano-dollar, whatever became of the requests."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest

from api.rollouts.policy import Kind, Policy
from api.rollouts.rollouts import Rollouts
from rag.llms.base import Purpose
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel, Outcome, Trace
from tests.faults.serving import MODES, asked, nanodollars, post, shop, traces
from tests.servers.groundwire import running, served
from tests.servers.provider import Call, Provider, Reply, failure

MODELS = '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 2\nfallbacks = ["anthropic/claude-sonnet-4-5"]\n'
EVERYTHING = '[prompts]\nrewrite = "rewrite"\n[retriever]\nabstain = false\n[validator]\njudge = "openai/gpt-4.1-nano"\n'
VARIANTS = {
    "plain": f"{MODELS}{EVERYTHING}",
    "quoting": f'{MODELS}{EVERYTHING}[release]\npolicy = "quote"\ngate = "sentence"\n',
    "trying": f'{MODELS}{EVERYTHING}[release]\npolicy = "retry"\n',
}
REQUESTS = 60
UNCERTAIN = "Kettles may well be covered for some two years or so, limescale aside [1]. They are covered for 36 months [1]."


def reply(call: Call) -> Reply:
    """Refused, busy, broken or answered by the number in the question; every call has tokens of its own."""
    number = int("".join(filter(str.isdigit, str(call.body["messages"])[-40:])) or 0) + len(call.body["messages"])
    kinds = {"cached": number % 7, "prompt": 100 + number, "completion": 1 + number % 50}
    if call.body["model"] == "gpt-4.1-mini" and number % 4 == 1:
        return failure(503 if number % 8 == 1 else 429)
    return Reply(pieces=(UNCERTAIN[: 40 + number], UNCERTAIN[40 + number :]), **kinds)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Settings:
    settings = shop(tmp_path_factory.mktemp("money"), VARIANTS, new_ledger())
    with Runtime(settings) as runtime:
        shadow = Policy(name="careful", kind=Kind.SHADOW, control="plain", candidate="trying", share=100)
        Rollouts(runtime.engine).start(shadow, VARIANTS, "tests")
    return settings


@pytest.fixture
def runtime(settings: Settings) -> Iterator[Runtime]:
    with Runtime(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def url(settings: Settings, server: Provider) -> Iterator[str]:
    with served(settings, "--collection", "shop", "--variant", "plain", environment=server.environment) as url:
        yield url


async def ended(runtime: Runtime, count: int) -> list[Trace]:
    """So many traces, once none runs any more."""
    async with asyncio.timeout(60):
        while len(found := traces(runtime)) < count or not all(trace.outcome for trace in found):
            await asyncio.sleep(0.02)
    return found


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_every_call_is_accounted_for(url: str, runtime: Runtime, server: Provider) -> None:
    server.play(reply)
    models = ("careful", "quoting", "trying")
    before = [{"role": "user", "content": "Tell me about kettles."}, {"role": "assistant", "content": "They boil water."}]
    asking, shadowed = [], 0
    for number in range(REQUESTS):
        mode, model = MODES[number % len(MODES)], models[number % len(models)]
        path, body = asked(mode, f"And how long is it covered, number {number}?", model)
        if path == "/chat":
            body["history"] = before
        else:
            body["messages"] = [*before, *body["messages"]]
        asking.append(post(url, path, body))
        if model == "careful":
            # A copy is left out where too many are under way.
            await asyncio.gather(*asking)
            asking.clear()
            shadowed += 1
            await ended(runtime, number + 1 + shadowed)
    await asyncio.gather(*asking)
    found = await ended(runtime, REQUESTS + shadowed)
    await server.settled()

    attempts = [attempt for trace in found for attempt in trace.attempts]
    assert Counter(trace.channel for trace in found)[Channel.SHADOW] == shadowed
    assert {attempt.purpose for attempt in attempts} == set(Purpose)
    assert {attempt.model for attempt in attempts} == {f"openai/{name}" for name in ("gpt-4.1-mini", "gpt-4.1-nano")} | {
        "anthropic/claude-sonnet-4-5"
    }
    assert any(attempt.throttled for attempt in attempts)
    assert not any(attempt.estimated for attempt in attempts)
    assert len(attempts) == len(server.calls)
    assert sum(trace.cost_nanodollars or 0 for trace in found) == nanodollars(server.ledger) > 0


@pytest.mark.anyio
async def test_every_accepted_request_has_one_trace(url: str, runtime: Runtime, server: Provider) -> None:
    server.play(lambda call: failure(401) if "3?" in call.text else Reply())
    questions = [f"What of request {number}?" for number in range(40)]
    answers = await asyncio.gather(
        *(post(url, *asked(MODES[number % 4], question, "quoting")) for number, question in enumerate(questions))
    )
    accepted = [answer.trace_id for answer in answers]
    found = traces(runtime, questions)
    assert sorted(trace.id for trace in found) == sorted(accepted)
    assert len(set(accepted)) == len(questions)
    assert all(trace.outcome for trace in found)


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_what_a_killed_server_spent_is_not_known(settings: Settings, server: Provider) -> None:
    server.play(lambda _: Reply(pieces=("Kettles are covered ", "for 24 months [1]."), between=60))
    question, options = "How long is a kettle covered, killed?", ("--collection", "shop", "--variant", "plain")
    with running(settings, *options, environment=server.environment) as killed:
        asking = asyncio.create_task(post(killed.url, *asked("chat-stream", question, "plain")))
        async with asyncio.timeout(30):
            while not any(call.sent for call in server.calls):
                await asyncio.sleep(0.01)
        killed.process.kill()
        await asyncio.gather(asking, return_exceptions=True)
    with served(settings, *options, environment=server.environment) as url, Runtime(settings) as runtime:
        (trace,) = traces(runtime, [question])
        overview = (await asyncio.to_thread(httpx.get, f"{url}/overview")).text
    assert (trace.outcome, trace.cost_nanodollars) == (Outcome.FAILED, None)
    assert "and 1 of unknown price" in overview
