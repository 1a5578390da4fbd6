"""The one path: what is sent, what reaches the reader, and what the record of it says, however it ends."""

import asyncio
import json
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rag.answer.release import Policy
from rag.assembly import Assembly
from rag.errors import GroundwireError
from rag.ingest.ingest import ingest
from rag.llms.base import Purpose
from rag.pipeline import Delta, Done, Pipeline, Retrieved, drained
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel, Origin, Outcome, Trace
from rag.types import Message, Tier, Verdict
from rag.variant import Model, Prompts, Release, Validation, Variant
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio
QUESTION = "How long is the warranty on a kettle?"
TRUE = "Kettles are covered for 24 months [1]."
FALSE = "The warranty costs 99 dollars a year."
VAGUE = "Owners of kettles enjoy protection for a good while, month after month."


def variant(policy: Policy = Policy.FLAG, **llm: object) -> Variant:
    options = {"model": "openai/gpt-4.1-mini", "attempts": 1, **llm}
    return Variant(name="test", llm=Model.model_validate(options), release=Release(policy=policy))


async def pipeline(runtime: Runtime, *arguments: Policy, **llm: object) -> Pipeline:
    return await runtime.pipeline(variant(*arguments, **llm), "shop")


async def text_and_trace(answering: Pipeline, question: str = QUESTION) -> tuple[str, Trace]:
    """What reached the reader, and the trace; checks that events come in their order."""
    events = [event async for event in answering.stream(question, Channel.ASK)]
    assert [type(event) for event in events] == [Retrieved, *[Delta] * (len(events) - 2), Done]
    assert isinstance(events[-1], Done)
    return "".join(event.text for event in events if isinstance(event, Delta)), events[-1].trace


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
    provider.script(Reply(before=0.3))
    answering = asyncio.ensure_future((await pipeline(runtime)).answer(QUESTION, Channel.ASK))
    while not provider.calls:
        await asyncio.sleep(0.005)
    (running,) = [trace for trace in runtime.traces.latest(100) if trace.outcome is None]
    ended = await answering
    assert running.id == ended.id
    assert runtime.traces.get(running.id).outcome is Outcome.ANSWERED


async def test_the_same_question_sends_the_same_bytes(runtime: Runtime, provider: Provider) -> None:
    answering = await pipeline(runtime)
    for _ in range(2):
        await answering.answer(QUESTION, Channel.ASK)
    first, second = provider.calls
    assert first.body == second.body


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


async def test_what_nothing_relevant_is_found_for_is_refused_without_a_call(runtime: Runtime, provider: Provider) -> None:
    text, trace = await text_and_trace(await pipeline(runtime), "Who composed the opera about the flying Dutchman?")
    assert text == trace.answer == "The documents do not answer this."
    assert (trace.outcome, trace.attempts, provider.calls) == (Outcome.REFUSED, (), [])


async def test_a_refusal_of_the_model_is_a_refusal(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("The documents do not ", "answer this.")))
    _, trace = await text_and_trace(await pipeline(runtime))
    assert trace.outcome is Outcome.REFUSED


async def test_quote_keeps_what_is_unsupported_from_the_reader(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE, " ", FALSE)))
    text, trace = await text_and_trace(await pipeline(runtime, Policy.QUOTE))
    assert TRUE in text
    assert "99" not in text
    assert trace.draft == f"{TRUE} {FALSE}"
    assert trace.released == "quoted"
    assert all(claim.text == text[claim.start : claim.end] for claim in trace.claims)


def gated(model: str = "openai/gpt-4.1-mini") -> Variant:
    return Variant(name="test", llm=Model(model=model, attempts=1), release=Release(policy=Policy.QUOTE, gate="sentence"))


async def test_a_gated_sentence_leaves_as_soon_as_it_is_judged(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("Kettles are covered for ", f"24 months [1]. {FALSE}", " Kettles", " too."), between=0.3))
    answering = await runtime.pipeline(gated(), "shop")
    shown = [event async for event in answering.stream(QUESTION, Channel.ASK) if isinstance(event, Delta | Done)]
    assert isinstance(shown[0], Delta)
    assert shown[0].text == TRUE
    done = shown[-1]
    assert isinstance(done, Done)
    trace = done.trace
    assert trace.first_token_ms is not None
    assert trace.total_ms is not None
    assert trace.total_ms - trace.first_token_ms > 250
    assert "99" in trace.draft
    assert "99" not in trace.answer
    assert trace.released == "quoted"
    assert all(claim.text == trace.answer[claim.start : claim.end] for claim in trace.claims)
    assert runtime.traces.get(trace.id) == trace


@pytest.mark.parametrize(
    "answer", [f"{TRUE} {FALSE}", TRUE, f"Sure! {FALSE}", "The documents do not answer this.", "**Kettles**"]
)
async def test_the_gate_gives_the_same_answer_in_pieces_and_whole(runtime: Runtime, provider: Provider, answer: str) -> None:
    provider.script(
        Reply(pieces=(answer,)), Reply(pieces=tuple(f"{word} " for word in answer.split(" "))), Reply(pieces=(answer,))
    )
    _, whole = await text_and_trace(await runtime.pipeline(gated(), "shop"))
    _, pieces = await text_and_trace(await runtime.pipeline(gated(), "shop"))
    _, ungated = await text_and_trace(await pipeline(runtime, Policy.QUOTE))
    assert pieces.answer.rstrip() == whole.answer == ungated.answer
    assert [claim.verdict for claim in pieces.claims] == [claim.verdict for claim in whole.claims]
    assert (pieces.released, pieces.outcome) == (whole.released, whole.outcome) == (ungated.released, ungated.outcome)


@pytest.mark.parametrize(
    "draft",
    ["**The kettle has a warranty of 99 months**", "- **99 months** [1]", "Yes.", "## It is 99 months", "```\n99 months\n```"],
)
async def test_nothing_that_states_something_leaves_unjudged(runtime: Runtime, provider: Provider, draft: str) -> None:
    provider.script(Reply(pieces=(draft,)))
    text, trace = await text_and_trace(await runtime.pipeline(gated(), "shop"), "Is there a warranty of 99 months?")
    assert "99" not in text
    assert "Yes" not in text
    assert (trace.outcome, trace.reason) in (
        (Outcome.ANSWERED, None),
        (Outcome.REFUSED, "nothing the model said was supported"),
    )
    assert trace.ungrounded == (not draft.startswith("`"))


@pytest.mark.parametrize("policy", [Policy.FLAG, Policy.QUOTE])
async def test_the_fences_of_the_prompt_reach_nobody(runtime: Runtime, provider: Provider, policy: Policy) -> None:
    answering = await pipeline(runtime, policy)
    await answering.answer(QUESTION, Channel.ASK)
    tag = provider.calls[0].text.partition("<passage-")[2].partition(" ")[0]
    provider.script(Reply(pieces=(f"<passage-{tag[:8]}", f'{tag[8:]} number="1">\n{TRUE}', f" </passage-{tag}>")))
    text, trace = await text_and_trace(answering)
    assert text.strip() == trace.draft.strip() == TRUE
    assert provider.calls[0].body["stop"] == ["\nQuestion:", f"</passage-{tag}"]


@pytest.mark.parametrize("sentence", [True, False])
async def test_a_sentence_that_was_cut_off_is_not_released(runtime: Runtime, provider: Provider, sentence: bool) -> None:
    provider.script(Reply(pieces=(TRUE, " Toasters are covered for [1]"), finish_reason="length"))
    answering = await runtime.pipeline(gated(), "shop") if sentence else await pipeline(runtime, Policy.QUOTE)
    text, trace = await text_and_trace(answering)
    assert text.strip() == TRUE
    assert "Toasters" in trace.draft
    provider.script(Reply(pieces=("Kettles are covered for 24 months and",), finish_reason="length"))
    text, trace = await text_and_trace(answering)
    assert text == answering.refusal
    assert (trace.outcome, trace.reason) == (Outcome.REFUSED, "the token limit cut the answer off within its first sentence")


async def test_an_empty_reply_is_no_answer(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(" ",)))
    text, trace = await text_and_trace(await pipeline(runtime))
    assert (text, trace.outcome) == ("", Outcome.FAILED)
    assert trace.cost_nanodollars
    _, trace = await text_and_trace(await pipeline(runtime, fallbacks=("local/extractive",)))
    assert (trace.outcome, trace.answered_by) == (Outcome.ANSWERED, "local/extractive")


async def test_what_a_gated_answer_has_shown_is_on_record_with_its_claims_when_it_breaks_off(
    runtime: Runtime, provider: Provider
) -> None:
    provider.script(Reply(pieces=(TRUE, " Kettles are"), end="cut"))
    text, trace = await text_and_trace(await runtime.pipeline(gated(), "shop"))
    assert text == trace.answer == TRUE
    assert trace.outcome is Outcome.FAILED
    assert [claim.text for claim in trace.claims] == [TRUE]


async def test_a_gated_claim_is_put_to_the_judge_once_and_within_the_turn_of_the_answer(
    runtime: Runtime, provider: Provider
) -> None:
    finding = {"1": {"reason": "Who knows.", "passage": None, "quote": None, "verdict": "cannot tell"}}
    judging = gated().model_copy(update={"validator": Validation(judge="anthropic/claude-sonnet-4-5")})
    provider.script(Reply(pieces=(VAGUE, f" {TRUE}", " Good luck!"), between=0.1), Reply(pieces=(json.dumps(finding),)))
    answering = await runtime.pipeline(judging, "shop")
    only = asyncio.Semaphore(1)
    answering.turn = lambda: only
    async with asyncio.timeout(10):
        _, trace = await text_and_trace(answering)
    assert [claim.verdict for claim in trace.claims] == [Verdict.UNCERTAIN, Verdict.SUPPORTED]
    assert [attempt.purpose for attempt in trace.attempts].count(Purpose.JUDGE) == 1
    assert trace.total_ms is not None
    assert sum(trace.stages.values()) <= trace.total_ms


async def test_what_a_request_waited_for_before_is_of_its_time(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE,)), Reply(pieces=(TRUE,), before=10))
    answering = await runtime.pipeline(variant(Policy.FLAG, total_seconds=60), "shop")
    began = datetime.now(UTC)
    answered, late = [await drained(answering.stream(QUESTION, Channel.CHAT, waited=waited)) for waited in (50, 58)]
    assert answered.outcome is Outcome.ANSWERED
    assert answered.stages["queue"] == 50_000 < answered.attempts[0].started_ms < (answered.first_token_ms or 0) < 60_000
    assert (began - datetime.fromisoformat(answered.created_at)).total_seconds() == pytest.approx(50, abs=5)
    assert (late.outcome, late.answer) == (Outcome.TIMED_OUT, "")
    assert "the 60 s for this answer were over" in (late.reason or "")


async def test_a_quotation_that_sounds_like_a_refusal_is_an_answer(provider: Provider, tmp_path: Path) -> None:
    page = "An unsupported verdict means that a number is not in the passages. Verdicts are read by people."
    (tmp_path / "verdicts.md").write_text(page)
    with Runtime(Settings(home=tmp_path / "home")) as runtime:
        ingest([str(tmp_path / "verdicts.md")], "verdicts", runtime)
        provider.script(Reply(pieces=("An unsupported verdict means that the number 42 was seen.",)))
        trace = await (await runtime.pipeline(gated(), "verdicts")).answer("What does an unsupported verdict mean?", Channel.ASK)
    assert "not in the passages" in trace.answer
    assert (trace.released, trace.outcome) == ("quoted", Outcome.ANSWERED)
    assert [(claim.score, claim.probability) for claim in trace.claims] == [(1.0, 1.0)]


async def test_a_judge_is_asked_what_cannot_be_told_and_is_paid(runtime: Runtime, provider: Provider) -> None:
    finding = {"1": {"reason": "So it is.", "passage": 1, "quote": "24 months", "verdict": "supported"}}
    judging = Variant(
        name="test",
        llm=Model(model="openai/gpt-4.1-mini", attempts=1),
        validator=Validation(judge="anthropic/claude-sonnet-4-5"),
        release=Release(policy=Policy.QUOTE, uncertain="withhold"),
    )
    provider.script(Reply(pieces=(VAGUE,)), Reply(pieces=(json.dumps(finding),)))
    text, trace = await text_and_trace(await runtime.pipeline(judging, "shop"))
    assert [(claim.verdict, claim.tier) for claim in trace.claims] == [(Verdict.SUPPORTED, Tier.JUDGE)]
    assert text.startswith(VAGUE)
    assert [attempt.purpose for attempt in trace.attempts] == [Purpose.ANSWER, Purpose.JUDGE]
    assert trace.cost_nanodollars == 100 * 400 + 7 * 1600 + 100 * 3000 + 7 * 15000
    assert trace.answered_by == "openai/gpt-4.1-mini"
    assert trace.versions.prompts.keys() == {"answer@2", "grounding@1"}
    assert "grounding@1" in trace.versions.validator
    assert trace.stages["judge"] > 0


async def test_a_judge_is_not_asked_what_is_known(runtime: Runtime, provider: Provider) -> None:
    judging = Variant(
        name="test",
        llm=Model(model="openai/gpt-4.1-mini", attempts=1),
        validator=Validation(judge="anthropic/claude-sonnet-4-5"),
    )
    provider.script(Reply(pieces=(TRUE,)))
    _, trace = await text_and_trace(await runtime.pipeline(judging, "shop"))
    assert [attempt.purpose for attempt in trace.attempts] == [Purpose.ANSWER]
    assert "judge" not in trace.stages


async def test_what_is_uncertain_is_withheld_where_the_variant_says_so(runtime: Runtime, provider: Provider) -> None:
    for uncertain, shown in (("pass", True), ("withhold", False)):
        provider.script(Reply(pieces=(f"{TRUE} {VAGUE}",)))
        rules = Release.model_validate({"policy": "quote", "uncertain": uncertain})
        answering = Variant(name="test", llm=Model(model="openai/gpt-4.1-mini", attempts=1), release=rules)
        text, _ = await text_and_trace(await runtime.pipeline(answering, "shop"))
        assert (VAGUE in text) is shown
        assert TRUE in text


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


async def test_a_reader_who_leaves_ends_the_call_and_leaves_one_trace(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("word ",) * 100, between=0.05))
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


async def test_a_context_too_small_for_any_passage_is_told(runtime: Runtime, provider: Provider) -> None:
    chosen = variant()
    chosen = chosen.model_copy(update={"retriever": chosen.retriever.model_copy(update={"context_tokens": 3})})
    with pytest.raises(GroundwireError, match=r"no passage fits.*raise retriever\.context_tokens"):
        await (await runtime.pipeline(chosen, "shop")).answer(QUESTION, Channel.ASK)
    assert runtime.traces.latest(1)[0].outcome is Outcome.FAILED


async def test_what_is_left_out_of_the_context_is_recorded(runtime: Runtime, provider: Provider) -> None:
    chosen = variant()
    chosen = chosen.model_copy(update={"retriever": chosen.retriever.model_copy(update={"context_tokens": 40})})
    trace = await (await runtime.pipeline(chosen, "shop")).answer(QUESTION, Channel.ASK)
    assert trace.passages
    assert trace.left_out
    assert [passage.number for passage in trace.passages] == [*range(1, len(trace.passages) + 1)]


async def test_half_a_character_is_replaced_not_lost_with_its_request(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("Covered for \ud83d 24 months.",)))
    _, trace = await text_and_trace(await pipeline(runtime), f"{QUESTION} \ud83d")
    assert runtime.traces.get(trace.id).question == f"{QUESTION} \ufffd"


async def test_a_retry_that_fails_leaves_what_there_was(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE, " ", FALSE)), failure(400))
    text, trace = await text_and_trace(await pipeline(runtime, Policy.RETRY))
    assert TRUE in text
    assert "99" not in text
    assert trace.outcome is Outcome.ANSWERED
    assert [message.model_dump() for message in trace.messages] == provider.calls[0].body["messages"]
    assert [bool(attempt.error) for attempt in trace.attempts] == [False, True]


@pytest.mark.usefixtures("without_llama")
async def test_a_first_model_that_is_not_installed_gives_way_to_a_provider(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(TRUE,)))
    answering = await pipeline(runtime, model="local/smollm2", fallbacks=("openai/gpt-4.1-mini",))
    _, trace = await text_and_trace(answering)
    assert trace.answered_by == "openai/gpt-4.1-mini"
    assert [bool(attempt.error) for attempt in trace.attempts] == [True, False]


@pytest.mark.parametrize(("policy", "gate"), [(Policy.QUOTE, "answer"), (Policy.QUOTE, "sentence"), (Policy.REFUSE, "answer")])
async def test_what_is_withheld_is_on_record_where_the_draft_states_it(
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


async def test_the_trace_is_told_as_it_is_closed_however_the_request_ends(runtime: Runtime, provider: Provider) -> None:
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


async def test_text_that_is_held_back_says_for_how_long(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=("Kettles are covered ", "for 24 months [1]."), between=0.2))
    _, flagged = await text_and_trace(await pipeline(runtime))
    _, held = await text_and_trace(await pipeline(runtime, Policy.REFUSE))
    assert flagged.held_ms is not None
    assert held.held_ms is not None
    assert flagged.held_ms < 100 < 200 <= held.held_ms


async def test_a_request_never_costs_more_than_its_ceiling(runtime: Runtime, provider: Provider) -> None:
    """Every try of every model comes too late, and may be billed for all that it was allowed."""
    answering = await pipeline(runtime, fallbacks=("openai/gpt-4.1",), first_token_seconds=0.5)
    await text_and_trace(await pipeline(runtime))
    provider.script(Reply(first=5), Reply(first=5))
    most = answering.ceiling(QUESTION)
    _, trace = await text_and_trace(answering)
    sent = [len("".join(str(message["content"]) for message in call.body["messages"]).encode()) for call in provider.calls]
    assert (trace.outcome, len(sent)) == (Outcome.TIMED_OUT, 2)
    prices = {"gpt-4.1-mini": (400, 1600), "gpt-4.1": (2000, 8000)}
    billed = 0
    for call, size in zip(provider.calls, sent, strict=True):
        prompt, completion = prices[call.body["model"]]
        billed += size // 3 * prompt + 256 * completion
    assert most is not None
    assert billed <= most < 20 * billed


async def test_the_ceiling_of_a_model_without_a_price_is_not_known(runtime: Runtime, provider: Provider) -> None:
    assert (await pipeline(runtime, model="openai/nobody-knows")).ceiling(QUESTION) is None
    assert (await pipeline(runtime, model="local/extractive")).ceiling(QUESTION) == 0


BEFORE = (Message(role="user", content="Do you sell kettles?"), Message(role="assistant", content="We do."))
RESTS = "How long is the warranty on them?"


async def test_what_was_said_is_searched_and_sent_where_the_question_rests_on_it(runtime: Runtime, provider: Provider) -> None:
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


async def test_what_was_said_gives_way_where_a_passage_needs_its_room(
    runtime: Runtime, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = await pipeline(runtime)
    long = (Message(role="user", content="Do you sell kettles? " * 40), BEFORE[1])
    monkeypatch.setattr(Assembly, "tokens", lambda *_: 360)
    trace = await answering.answer(RESTS, Channel.ASK, history=long)
    assert trace.outcome is Outcome.ANSWERED
    assert trace.passages
    assert long[0] not in trace.messages


async def test_what_was_withheld_is_on_record_though_nothing_was_shown(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(FALSE, " ", FALSE, " ", TRUE), between=0.2, end="cut"))
    gated = variant().model_copy(update={"release": Release(policy=Policy.QUOTE, gate="sentence")})
    _, trace = await text_and_trace(await runtime.pipeline(gated, "shop"))
    assert trace.outcome is Outcome.FAILED
    assert trace.ungrounded
