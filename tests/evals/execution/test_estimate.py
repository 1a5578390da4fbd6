"""The cost of an answer, before there is one."""

import pytest

from evals.cases import Case
from evals.execution.estimate import SAMPLED, judgement_price, lengths, price, seconds
from rag.answer.release import Policy
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.trace import Channel
from tests.evals.execution.conftest import OPENAI, VARIANTS, arm, some
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
    prompts = await lengths(pipeline, cases)
    found = price(pipeline, prompts[0])
    assert not provider.calls
    assert found is not None
    low, high = found
    assert high - low == pipeline.variant.llm.max_tokens * COMPLETION
    tokens = []
    for case in cases:
        trace = await pipeline.answer(case.question, Channel.EVALS)
        contents = [message.content for message in trace.messages]
        tokens.append(sum(await pipeline.router.llm(OPENAI).count_tokens(contents)))
    assert prompts == tokens
    assert low == tokens[0] * PROMPT
    await runtime.router.close()


async def test_only_some_prompts_are_measured(runtime: Runtime, provider: Provider) -> None:
    pipeline = await served(runtime)
    long = Case(id="long", question="How long " + "and how long " * 500 + "is it?")
    first = some(SAMPLED)
    assert await lengths(pipeline, [*first, long]) == await lengths(pipeline, first)
    assert (await lengths(pipeline, [long]))[0] > max(await lengths(pipeline, first)) + 1000


async def test_the_longest_is_the_dearest_model_s_and_twice_where_another_draft_may_be_asked_for(
    runtime: Runtime, provider: Provider
) -> None:
    pipeline = await served(runtime)
    once = price(pipeline, 100)
    assert once == (100 * PROMPT, 100 * PROMPT + pipeline.variant.llm.max_tokens * COMPLETION)
    pipeline.assembly.models.append("openai/gpt-4.1")
    dearer = price(pipeline, 100)
    assert dearer is not None
    assert (dearer[0], dearer[1]) == (once[0], 5 * once[1])
    retrying = pipeline.variant.release.model_copy(update={"policy": Policy.RETRY})
    pipeline.variant = pipeline.variant.model_copy(update={"release": retrying})
    twice = price(pipeline, 100)
    assert twice is not None
    assert twice[1] == 2 * dearer[1]


async def test_a_question_that_may_be_rewritten_may_cost_that_too(runtime: Runtime, provider: Provider) -> None:
    plain = price(await served(runtime), 100)
    (runtime.settings.variants / "rewriting.toml").write_text(VARIANTS["default"] + '[prompts]\nrewrite = "rewrite"\n')
    rewriting = price(await served(runtime, "rewriting"), 100)
    assert plain is not None
    assert rewriting == (plain[0], plain[1] + (100 + 6000) * PROMPT + 200 * COMPLETION)


async def test_a_time_is_assumed_by_where_the_model_runs(runtime: Runtime, provider: Provider) -> None:
    here, there = seconds(await served(runtime, "extractive")), seconds(await served(runtime))
    assert here[0] < here[1] <= there[0] < there[1]


async def test_a_judgement_reads_prompt_and_answer_and_may_be_asked_twice(runtime: Runtime, provider: Provider) -> None:
    router = (await served(runtime)).router
    assert judgement_price(router, OPENAI, 100, 50) == 2 * (150 * PROMPT + 200 * COMPLETION)
    assert judgement_price(router, "openai/nobody-knows", 100, 50) is None


async def test_what_runs_here_is_free_and_an_unknown_price_is_not_zero(runtime: Runtime, provider: Provider) -> None:
    assert price(await served(runtime, "extractive"), 100) == (0, 0)
    assert price(await served(runtime, model="openai/nobody-knows"), 100) is None


async def test_the_judge_that_a_variant_names_is_paid_too(runtime: Runtime, provider: Provider) -> None:
    pipeline = await served(runtime)
    plain = price(pipeline, 100)
    assert plain is not None

    def judged(model: str, **rules: object) -> tuple[int, int] | None:
        validator = pipeline.variant.validator.model_copy(update={"judge": model})
        release = pipeline.variant.release.model_copy(update=rules)
        given = pipeline.variant
        pipeline.variant = given.model_copy(update={"validator": validator, "release": release})
        found = price(pipeline, 100)
        pipeline.variant = given
        return found

    said = pipeline.variant.llm.max_tokens
    at_once, by_sentence = judged(OPENAI), judged(OPENAI, policy=Policy.QUOTE, gate="sentence")
    assert at_once == (plain[0], plain[1] + 2 * ((100 + 3 * said) * PROMPT + 160 * 13 * COMPLETION))
    assert by_sentence is not None
    assert by_sentence[1] > at_once[1]
    assert judged("openai/nobody-knows") is None
