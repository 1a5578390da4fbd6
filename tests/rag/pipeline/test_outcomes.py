"""How a request ends, and that its trace says so: answered, refused, failed, timed out or left by the reader."""

from contextlib import aclosing

import pytest

from rag.errors import GroundwireError
from rag.events import Delta
from rag.runtime import Runtime
from rag.trace import Channel, Outcome
from tests.rag.pipeline.asking import QUESTION, TRUE, pipeline, text_and_trace
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio


async def test_a_failure_is_an_outcome_with_its_reason(runtime: Runtime, provider: Provider) -> None:
    provider.script(failure(500))
    text, trace = await text_and_trace(await pipeline(runtime))
    assert (text, trace.answer, trace.outcome) == ("", "", Outcome.FAILED)
    assert "openai/gpt-4.1-mini answered 500" in (trace.reason or "")
    assert trace.attempts[0].error
    assert trace.cost_nanodollars == 0


async def test_a_late_answer_is_timed_out(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(first=5))
    _, trace = await text_and_trace(await pipeline(runtime, first_token_seconds=0.2))
    assert trace.outcome is Outcome.TIMED_OUT


async def test_a_cut_stream_fails_and_its_price_is_estimated(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(end="cut"))
    text, trace = await text_and_trace(await pipeline(runtime))
    assert trace.outcome is Outcome.FAILED
    assert trace.answer == trace.draft == text != ""
    assert trace.estimated
    assert trace.cost_nanodollars


async def test_the_fallback_answers_when_no_model_does(runtime: Runtime, provider: Provider) -> None:
    provider.script(failure(500))
    answering = await pipeline(runtime, fallbacks=("local/extractive",))
    text, trace = await text_and_trace(answering, "For how many months are kettles covered?")
    assert trace.outcome is Outcome.ANSWERED
    assert "covered for 24 months" in text
    assert [(attempt.model, bool(attempt.error)) for attempt in trace.attempts] == [
        ("openai/gpt-4.1-mini", True),
        ("local/extractive", False),
    ]


async def test_a_question_without_a_relevant_passage_is_refused_without_a_call(runtime: Runtime, provider: Provider) -> None:
    text, trace = await text_and_trace(await pipeline(runtime), "Who composed the opera about the flying Dutchman?")
    assert text == trace.answer == "The documents do not answer this."
    assert (trace.outcome, trace.attempts, provider.calls) == (Outcome.REFUSED, (), [])


async def test_a_refusal_of_the_model_is_a_refusal(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("The documents do not ", "answer this.")))
    _, trace = await text_and_trace(await pipeline(runtime))
    assert trace.outcome is Outcome.REFUSED


async def test_an_empty_reply_is_no_answer(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(" ",)))
    text, trace = await text_and_trace(await pipeline(runtime))
    assert (text, trace.outcome) == ("", Outcome.FAILED)
    assert trace.cost_nanodollars
    _, trace = await text_and_trace(await pipeline(runtime, fallbacks=("local/extractive",)))
    assert (trace.outcome, trace.answered_by) == (Outcome.ANSWERED, "local/extractive")


async def test_the_hosted_variant_quotes_without_a_key(
    runtime: Runtime, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a server which lists it can answer by it."""
    monkeypatch.delenv("OPENAI_API_KEY")
    text, trace = await text_and_trace(await runtime.pipeline("hosted", "shop"), "For how many months are kettles covered?")
    assert "covered for 24 months" in text
    assert (trace.outcome, trace.answered_by, provider.calls) == (Outcome.ANSWERED, "local/extractive", [])
    assert trace.attempts[0].error == "openai/gpt-4.1-mini needs a key"


async def test_a_reader_who_leaves_ends_the_call_and_leaves_one_trace(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("word ",) * 2000, between=0.05))
    before = {trace.id for trace in runtime.traces.latest(1000)}
    async with aclosing((await pipeline(runtime)).stream(QUESTION, Channel.ASK)) as events:
        async for event in events:
            if isinstance(event, Delta):
                break
    await provider.settled()
    assert provider.calls[0].disconnected
    runtime.writer.close()
    (trace,) = [trace for trace in runtime.traces.latest(1000) if trace.id not in before]
    assert (trace.outcome, trace.answer) == (Outcome.DISCONNECTED, "word ")
    assert len(trace.attempts) == 1


async def test_an_empty_question_is_not_accepted(runtime: Runtime) -> None:
    before = len(runtime.traces.latest(1000))
    with pytest.raises(GroundwireError, match="the question is empty"):
        await (await pipeline(runtime)).answer("  \n", Channel.ASK)
    assert len(runtime.traces.latest(1000)) == before


@pytest.mark.usefixtures("without_llama")
async def test_a_first_model_that_is_not_installed_gives_way_to_a_provider(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE,)))
    answering = await pipeline(runtime, model="local/smollm2", fallbacks=("openai/gpt-4.1-mini",))
    _, trace = await text_and_trace(answering)
    assert trace.answered_by == "openai/gpt-4.1-mini"
    assert [bool(attempt.error) for attempt in trace.attempts] == [True, False]
