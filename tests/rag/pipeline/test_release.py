"""A draft that is judged as a whole: what each policy releases, withholds and asks for again."""

import pytest

from rag.answer.release import Policy
from rag.runtime import Runtime
from rag.trace import Channel, Outcome
from rag.types import Verdict
from rag.variant import Model, Release, Variant
from tests.rag.pipeline.asking import FALSE, LIKELY, QUESTION, TRUE, VAGUE, pipeline, text_and_trace, variant
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio


async def test_quote_keeps_what_is_unsupported_from_the_reader(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE, " ", FALSE)))
    text, trace = await text_and_trace(await pipeline(runtime, Policy.QUOTE))
    assert TRUE in text
    assert "99" not in text
    assert trace.draft == f"{TRUE} {FALSE}"
    assert trace.released == "quoted"
    assert all(claim.text == text[claim.start : claim.end] for claim in trace.claims)


@pytest.mark.parametrize("policy", [Policy.FLAG, Policy.QUOTE])
async def test_the_fences_of_the_prompt_reach_nobody(runtime: Runtime, provider: Provider, policy: Policy) -> None:
    answering = await pipeline(runtime, policy)
    await answering.answer(QUESTION, Channel.ASK)
    tag = provider.calls[0].text.partition("<passage-")[2].partition(" ")[0]
    provider.script(Reply(pieces=(f"<passage-{tag[:8]}", f'{tag[8:]} number="1">\n{TRUE}', f" </passage-{tag}>")))
    text, trace = await text_and_trace(answering)
    assert text.strip() == trace.draft.strip() == TRUE
    assert provider.calls[0].body["stop"] == ["\nQuestion:", f"</passage-{tag}"]


async def test_uncertain_claims_are_withheld_if_the_variant_says_so(runtime: Runtime, provider: Provider) -> None:
    for uncertain, shown in (("pass", {LIKELY, VAGUE}), ("likely", {LIKELY}), ("withhold", set())):
        for gate in ("answer", "sentence"):
            provider.script(Reply(pieces=(f"{TRUE} {VAGUE} {LIKELY}",)))
            rules = Release.model_validate({"policy": "quote", "uncertain": uncertain, "gate": gate})
            answering = Variant(name="test", llm=Model(model="openai/gpt-4.1-mini", attempts=1), release=rules)
            text, trace = await text_and_trace(await runtime.pipeline(answering, "shop"))
            assert TRUE in text
            assert {claim for claim in (VAGUE, LIKELY) if claim in text} == shown
            assert {claim.text for claim in trace.claims if claim.verdict is Verdict.UNCERTAIN} == shown
            assert {claim.text for claim in trace.withheld} == {VAGUE, LIKELY} - shown
            assert {claim.verdict for claim in trace.withheld} <= {Verdict.UNCERTAIN}, "it is held back, and no worse for it"
            assert runtime.traces.get(trace.id) == trace


async def test_refuse_answers_nothing_rather_than_something_unsupported(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE, " ", FALSE)))
    text, trace = await text_and_trace(await pipeline(runtime, Policy.REFUSE))
    assert text == "The documents do not answer this."
    assert trace.outcome is Outcome.REFUSED


async def test_retry_asks_once_more_with_what_was_wrong(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(FALSE,)), Reply(pieces=(TRUE,)))
    text, trace = await text_and_trace(await pipeline(runtime, Policy.RETRY))
    assert text == TRUE
    assert [attempt.purpose for attempt in trace.attempts] == ["answer", "retry"]
    assert trace.usage.prompt == 200
    assert FALSE in provider.calls[1].body["messages"][-1]["content"]
    assert [message.model_dump() for message in trace.messages] == provider.calls[1].body["messages"]


async def test_a_retry_that_fails_leaves_what_there_was(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE, " ", FALSE)), failure(400))
    text, trace = await text_and_trace(await pipeline(runtime, Policy.RETRY))
    assert TRUE in text
    assert "99" not in text
    assert trace.outcome is Outcome.ANSWERED
    assert [message.model_dump() for message in trace.messages] == provider.calls[0].body["messages"]
    assert [bool(attempt.error) for attempt in trace.attempts] == [False, True]


@pytest.mark.parametrize(("policy", "gate"), [(Policy.QUOTE, "answer"), (Policy.QUOTE, "sentence"), (Policy.REFUSE, "answer")])
async def test_withheld_claims_are_recorded_at_their_place_in_the_draft(
    runtime: Runtime, provider: Provider, policy: Policy, gate: str
) -> None:
    provider.script(Reply(pieces=(TRUE, " ", FALSE)))
    rules = Release.model_validate({"policy": policy, "gate": gate})
    _, trace = await text_and_trace(
        await runtime.pipeline(variant().model_copy(update={"release": rules}), "shop"),
    )
    assert FALSE in [claim.text for claim in trace.withheld]
    assert all(trace.draft[claim.start : claim.end] == claim.text for claim in trace.withheld)
    assert trace.ungrounded == 1
    assert FALSE not in trace.answer
