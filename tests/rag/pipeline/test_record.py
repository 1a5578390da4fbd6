"""What a trace records of an answer: what was sent, released, waited for and billed."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime

import pytest

from rag.answer.release import Policy
from rag.events import Delta, Done, drained
from rag.runtime import Runtime
from rag.trace import Channel, Origin, Outcome, Trace
from rag.types import Message, Verdict
from tests.rag.pipeline.asking import QUESTION, TRUE, pipeline, text_and_trace, variant
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio


async def test_an_answer_is_recorded_as_it_was_sent_billed_and_judged(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("Kettles are covered ", "for 24 months [1]."), prompt=1000, completion=10, cached=400))
    text, trace = await text_and_trace(await pipeline(runtime))
    assert text == trace.answer == trace.draft == TRUE
    assert [message.model_dump() for message in trace.messages] == provider.calls[0].body["messages"]
    assert trace.outcome is Outcome.ANSWERED
    assert [claim.verdict for claim in trace.claims] == [Verdict.SUPPORTED]
    assert (trace.usage.prompt, trace.usage.completion, trace.usage.cached) == (1000, 10, 400)
    assert trace.cost_nanodollars == 600 * 400 + 400 * 100 + 10 * 1600
    assert trace.versions.prompts.keys() == {"answer@2"}
    assert trace.stages.keys() == {"embed", "retrieve", "log", "pack", "generate", "validate"}
    assert runtime.traces.get(trace.id) == trace


async def test_anthropic_is_asked_the_same(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE,)))
    _, trace = await text_and_trace(await pipeline(runtime, model="anthropic/claude-sonnet-4-5"))
    assert trace.outcome is Outcome.ANSWERED
    assert provider.calls[0].path == "/v1/messages"
    asked, stop = provider.calls[0].body, provider.calls[0].body["stop_sequences"]
    assert stop == ["\nQuestion:", "</passage-" + json.dumps(asked).partition("</passage-")[2][:16]]
    assert trace.cost_nanodollars == 100 * 3000 + 7 * 15000


async def test_a_row_is_there_before_the_first_upstream_call(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(held=True))
    answering = asyncio.ensure_future((await pipeline(runtime)).answer(QUESTION, Channel.ASK))
    await provider.holds(1)
    (running,) = [trace for trace in runtime.traces.latest(100) if trace.outcome is None]
    provider.let_go()
    ended = await answering
    assert running.id == ended.id
    assert runtime.traces.get(running.id).outcome is Outcome.ANSWERED


async def test_the_same_question_sends_the_same_bytes(runtime: Runtime, provider: Provider) -> None:
    answering = await pipeline(runtime)
    for _ in range(2):
        await answering.answer(QUESTION, Channel.ASK)
    first, second = provider.calls
    assert first.body == second.body


async def test_time_in_the_queue_counts_as_time_of_the_request(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE,)), Reply(pieces=(TRUE,), held=True))
    answering = await runtime.pipeline(variant(Policy.FLAG, total_seconds=600), "shop")
    began = datetime.now(UTC)
    answered, late = [await drained(answering.stream(QUESTION, Channel.CHAT, waited=waited)) for waited in (500, 598)]
    assert answered.outcome is Outcome.ANSWERED
    assert answered.stages["queue"] == 500_000 < answered.attempts[0].started_ms < (answered.first_token_ms or 0) < 600_000
    assert (began - datetime.fromisoformat(answered.created_at)).total_seconds() == pytest.approx(500, abs=60)
    assert (late.outcome, late.answer) == (Outcome.TIMED_OUT, "")
    assert "the 600 s for this answer were over" in (late.reason or "")


async def test_half_a_character_is_replaced_not_lost_with_its_request(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("Covered for \ud83d 24 months.",)))
    _, trace = await text_and_trace(await pipeline(runtime), f"{QUESTION} \ud83d")
    assert runtime.traces.get(trace.id).question == f"{QUESTION} \ufffd"


async def test_the_caller_is_given_the_trace_however_the_request_ends(runtime: Runtime, provider: Provider) -> None:
    told: list[Trace] = []
    origin = Origin(key="k", unit="u", experiment="e", arm="control")
    history = (Message(role="user", content="What do you sell?"), Message(role="assistant", content="Kettles."))
    answering = await pipeline(runtime)
    id = "0198c0de-0000-7000-8000-000000000001"
    events = answering.stream(QUESTION, Channel.CHAT, history=history, origin=origin, id=id, ended=told.append)
    done = [event async for event in events][-1]
    assert isinstance(done, Done)
    assert told == [done.trace]
    assert (done.trace.id, done.trace.origin, done.trace.history) == (id, origin, history)
    provider.script(failure(500), Reply(between=5))
    await drained(answering.stream(QUESTION, Channel.CHAT, ended=told.append))
    leaving = answering.stream(QUESTION, Channel.CHAT, ended=told.append)
    async with aclosing(leaving):
        async for event in leaving:
            if isinstance(event, Delta):
                break
    assert [trace.outcome for trace in told] == [Outcome.ANSWERED, Outcome.FAILED, Outcome.DISCONNECTED]


async def test_the_delay_of_judging_before_releasing_is_recorded(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("Kettles are covered ", "for 24 months [1]."), between=0.2))
    _, flagged = await text_and_trace(await pipeline(runtime))
    _, held = await text_and_trace(await pipeline(runtime, Policy.REFUSE))
    assert flagged.held_ms is not None
    assert held.held_ms is not None
    assert flagged.held_ms < 100 < 200 <= held.held_ms
