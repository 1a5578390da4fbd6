"""The judge of claims that the validator leaves uncertain: when it is asked, and what its words change."""

import json

import pytest

from rag.answer.release import Policy
from rag.answer.withholding import Uncertain
from rag.llms.base import Purpose
from rag.runtime import Runtime
from rag.types import Tier, Verdict
from rag.variant import Model, Release, Validation, Variant
from tests.rag.pipeline.asking import TRUE, VAGUE, text_and_trace
from tests.servers.provider import Provider, Reply

pytestmark = pytest.mark.anyio


async def test_a_judge_is_asked_what_cannot_be_told_and_is_paid(runtime: Runtime, provider: Provider) -> None:
    finding = {"1": {"reason": "So it is.", "passage": 1, "quote": "24 months", "verdict": "supported"}}
    judging = Variant(
        name="test",
        llm=Model(model="openai/gpt-4.1-mini", attempts=1),
        validator=Validation(judge="anthropic/claude-sonnet-4-5"),
        release=Release(policy=Policy.QUOTE, uncertain=Uncertain.WITHHOLD),
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
