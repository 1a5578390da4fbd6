"""The messages that are sent: the passages that fit, and the conversation that the question depends on."""

import pytest

from rag.assembly import Assembly
from rag.errors import GroundwireError
from rag.llms.base import Purpose
from rag.runtime import Runtime
from rag.trace import Channel, Outcome
from rag.types import Message
from rag.variant import Prompts
from tests.rag.pipeline.asking import QUESTION, TRUE, pipeline, variant
from tests.servers.provider import Provider, Reply

pytestmark = pytest.mark.anyio
BEFORE = (Message(role="user", content="Do you sell kettles?"), Message(role="assistant", content="We do."))
RESTS = "How long is the warranty on them?"


async def test_a_context_too_small_for_any_passage_is_told(runtime: Runtime, provider: Provider) -> None:
    chosen = variant()
    chosen = chosen.model_copy(update={"retriever": chosen.retriever.model_copy(update={"context_tokens": 3})})
    with pytest.raises(GroundwireError, match=r"no passage fits.*raise retriever\.context_tokens"):
        await (await runtime.pipeline(chosen, "shop")).answer(QUESTION, Channel.ASK)
    assert runtime.traces.latest(1)[0].outcome is Outcome.FAILED


async def test_passages_that_do_not_fit_are_recorded(runtime: Runtime, provider: Provider) -> None:
    chosen = variant()
    chosen = chosen.model_copy(update={"retriever": chosen.retriever.model_copy(update={"context_tokens": 40})})
    trace = await (await runtime.pipeline(chosen, "shop")).answer(QUESTION, Channel.ASK)
    assert trace.passages
    assert trace.left_out
    assert [passage.number for passage in trace.passages] == [*range(1, len(trace.passages) + 1)]


async def test_history_is_searched_and_sent_if_the_question_depends_on_it(runtime: Runtime, provider: Provider) -> None:
    answering = await pipeline(runtime)
    alone, before = [await answering.answer(RESTS, Channel.ASK, history=history) for history in ((), BEFORE)]
    assert alone.query is None
    assert before.query is not None
    assert "Do you sell kettles?" in before.query
    assert before.messages[1:-1] == BEFORE
    assert (before.messages[0].role, before.messages[-1].role) == ("system", "user")
    assert before.question == RESTS
    assert before.passages[0].document_id.endswith("kettles.md")


async def test_a_question_that_stands_alone_is_asked_as_if_nothing_had_been_said(runtime: Runtime, provider: Provider) -> None:
    answering = await pipeline(runtime)
    for history in ((), BEFORE):
        trace = await answering.answer(QUESTION, Channel.ASK, history=history)
        assert (trace.query, trace.history) == (None, history)
    first, second = provider.calls
    assert first.body == second.body


async def test_a_variant_may_have_its_model_rewrite_the_question(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("How long is the warranty on kettles?",), prompt=50, completion=9), Reply(pieces=(TRUE,)))
    rewriting = variant().model_copy(update={"prompts": Prompts(rewrite="rewrite@1")})
    trace = await (await runtime.pipeline(rewriting, "shop")).answer(RESTS, Channel.ASK, history=BEFORE)
    assert trace.query == "How long is the warranty on kettles?"
    assert [attempt.purpose for attempt in trace.attempts] == [Purpose.REWRITE, Purpose.ANSWER]
    assert trace.cost_nanodollars == (50 + 100) * 400 + (9 + 7) * 1600
    assert trace.versions.prompts.keys() == {"answer@2", "rewrite@1"}
    assert trace.stages.keys() >= {"rewrite"}


async def test_history_is_left_out_if_no_passage_fits_beside_it(
    runtime: Runtime, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = await pipeline(runtime)
    long = (Message(role="user", content="Do you sell kettles? " * 40), BEFORE[1])
    monkeypatch.setattr(Assembly, "tokens", lambda *_: 360)
    trace = await answering.answer(RESTS, Channel.ASK, history=long)
    assert trace.outcome is Outcome.ANSWERED
    assert trace.passages
    assert long[0] not in trace.messages
