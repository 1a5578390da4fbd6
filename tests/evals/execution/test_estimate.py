"""The cost of an answer, before there is one."""

import pytest

from evals.cases import Case
from evals.execution.estimate import SAMPLED, price
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.trace import Channel
from tests.evals.execution.conftest import OPENAI, arm, some
from tests.servers.provider import Provider

pytestmark = pytest.mark.anyio

PROMPT, COMPLETION = 400, 1600
"""Nano-dollars of a token."""


async def served(runtime: Runtime, variant: str = "default", model: str | None = None) -> Pipeline:
    one = arm(runtime, variant=variant).variant
    return await runtime.pipeline(one.answered_by(model) if model else one, "shop")


async def test_it_lies_between_an_empty_answer_and_the_longest(runtime: Runtime, provider: Provider) -> None:
    pipeline = await served(runtime)
    cases = some(4)
    found = await price(pipeline, cases)
    assert not provider.calls
    assert found is not None
    low, high = found
    assert high - low == pipeline.variant.llm.max_tokens * COMPLETION
    tokens = []
    for case in cases:
        trace = await pipeline.answer(case.question, Channel.EVALS)
        contents = [message.content for message in trace.messages]
        tokens.append(sum(await pipeline.router.llm(OPENAI).count_tokens(OPENAI, contents)))
    assert low == round(sum(tokens) / len(tokens)) * PROMPT
    await runtime.router.close()


async def test_only_some_prompts_are_measured(runtime: Runtime, provider: Provider) -> None:
    pipeline = await served(runtime)
    long = Case(id="long", question="How long " + "and how long " * 500 + "is it?")
    first = some(SAMPLED)
    assert await price(pipeline, [*first, long]) == await price(pipeline, first)
    low, longer = await price(pipeline, first[:1]), await price(pipeline, [long])
    assert low is not None
    assert longer is not None
    assert longer[0] > low[0] + 1000 * PROMPT


async def test_what_runs_here_is_free_and_an_unknown_price_is_not_zero(runtime: Runtime, provider: Provider) -> None:
    assert await price(await served(runtime, "extractive"), some(2)) == (0, 0)
    assert await price(await served(runtime, model="openai/nobody-knows"), some(2)) is None
