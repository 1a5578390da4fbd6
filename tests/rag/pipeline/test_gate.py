"""A draft that is judged sentence by sentence, while the model writes it."""

import asyncio
import json
from pathlib import Path

import pytest

from rag.answer.release import Policy
from rag.events import Delta, Done
from rag.ingest.ingest import ingest
from rag.llms.base import Purpose
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel, Outcome
from rag.types import Verdict
from rag.variant import Release, Validation
from tests.rag.pipeline.asking import FALSE, QUESTION, TRUE, VAGUE, gated, pipeline, text_and_trace, variant
from tests.servers.provider import Provider, Reply

pytestmark = pytest.mark.anyio


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
async def test_every_statement_is_judged_before_it_is_released(runtime: Runtime, provider: Provider, draft: str) -> None:
    provider.script(Reply(pieces=(draft,)))
    text, trace = await text_and_trace(await runtime.pipeline(gated(), "shop"), "Is there a warranty of 99 months?")
    assert "99" not in text
    assert "Yes" not in text
    assert (trace.outcome, trace.reason) in (
        (Outcome.ANSWERED, None),
        (Outcome.REFUSED, "nothing the model said was supported"),
    )
    assert trace.ungrounded == (not draft.startswith("`"))


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


async def test_a_gated_answer_that_breaks_off_is_recorded_with_its_claims(runtime: Runtime, provider: Provider) -> None:
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
    async with asyncio.timeout(60):
        _, trace = await text_and_trace(answering)
    assert [claim.verdict for claim in trace.claims] == [Verdict.UNCERTAIN, Verdict.SUPPORTED]
    assert [attempt.purpose for attempt in trace.attempts].count(Purpose.JUDGE) == 1
    assert trace.total_ms is not None
    assert sum(trace.stages.values()) <= trace.total_ms


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


async def test_withheld_claims_are_recorded_though_nothing_was_released(runtime: Runtime, provider: Provider) -> None:
    provider.script(Reply(pieces=(FALSE, " ", FALSE, " ", TRUE), between=0.2, end="cut"))
    gated = variant().model_copy(update={"release": Release(policy=Policy.QUOTE, gate="sentence")})
    _, trace = await text_and_trace(await runtime.pipeline(gated, "shop"))
    assert trace.outcome is Outcome.FAILED
    assert trace.ungrounded
