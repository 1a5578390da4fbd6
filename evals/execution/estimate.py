"""What an answer will cost, before one is made.

Knows that a few prompts tell the length of all: the first of them for a mean, those of the longest questions for a bound. Calls no model.
"""

import math
from asyncio import to_thread
from collections.abc import Sequence

from evals import judge
from evals.cases import Case
from rag.answer.release import Policy
from rag.ceiling import SENTENCE_TOKENS
from rag.conversation import rewriter
from rag.conversation.history import standalone
from rag.llms import OURS
from rag.llms.base import Usage
from rag.llms.extractive import NAME as EXTRACTIVE
from rag.llms.reply import TRIES
from rag.llms.router import Router
from rag.pipeline import Pipeline
from rag.validators.judge import CLAIMS, TOKENS_PER_CLAIM

SAMPLED = 10
"""Cases whose prompts are measured."""


async def lengths(pipeline: Pipeline, cases: Sequence[Case]) -> list[int]:
    """Tokens of the prompts of the first cases."""
    model = pipeline.assembly.models[0]
    llm = pipeline.router.llm(model)
    return [sum(await llm.count_tokens(await _texts(pipeline, case))) for case in cases[:SAMPLED]]


def said(case: Case) -> int:
    """Characters of the question, and of what was said before it."""
    return len(case.question) + sum(len(message.content) for message in case.history)


def price(pipeline: Pipeline, prompt: int) -> tuple[int, int] | None:
    """Nano-dollars of one answer to a prompt of so many tokens: an empty one, and the longest. Null where the price is not known.

    The longest is that of the dearest model which may answer, given twice where the release policy may ask for another draft, with
    what the variant's own judge takes to judge all of its claims, and what making the question stand alone may take.
    """
    llm, twice = pipeline.variant.llm, 2 if pipeline.variant.release.policy is Policy.RETRY else 1
    judging, rewriting = _validation_price(pipeline, prompt, twice), _rewriting_price(pipeline, prompt)
    if judging is None or rewriting is None:
        return None
    lows = [_cost(pipeline.router, model, prompt, 0) for model in pipeline.assembly.models[:1]]
    highs = [_cost(pipeline.router, model, twice * prompt, twice * llm.max_tokens) for model in pipeline.assembly.models]
    known_lows, known_highs = ([cost for cost in costs if cost is not None] for costs in (lows, highs))
    return (known_lows[0], max(known_highs) + judging + rewriting) if len(known_lows + known_highs) == len(lows + highs) else None


def seconds(pipeline: Pipeline) -> tuple[float, float]:
    """Of one answer, from and to: what is assumed where none was measured."""
    model = pipeline.variant.llm.model
    if model == EXTRACTIVE:
        return 0.01, 0.5
    return (1.0, 30.0) if model.startswith(OURS) else (0.5, 10.0)


def judgement_price(router: Router, model: str, prompt: int, answer: int) -> int | None:
    """Nano-dollars that grading one answer takes at most, its prompt and itself so many tokens long."""
    return _cost(router, model, TRIES * (prompt + answer), TRIES * judge.MAX_TOKENS)


def _validation_price(pipeline: Pipeline, prompt: int, drafts: int) -> int | None:
    """Of the calls to the judge that a variant names. Each reads the passages, what of the answer it judges, and its claims."""
    variant = pipeline.variant
    if variant.validator.judge is None:
        return 0
    said, sentences = variant.llm.max_tokens, math.ceil(variant.llm.max_tokens / SENTENCE_TOKENS)
    calls, claims = (sentences, sentences) if variant.release.gate == "sentence" else (drafts, drafts * min(CLAIMS, sentences))
    read = calls * prompt + drafts * 3 * said
    return _cost(pipeline.router, variant.validator.judge, TRIES * read, TRIES * TOKENS_PER_CLAIM * (claims + calls))


def _rewriting_price(pipeline: Pipeline, prompt: int) -> int | None:
    if pipeline.rewriter is None:
        return 0
    return _cost(pipeline.router, pipeline.variant.llm.model, prompt + rewriter.PROMPT_TOKENS, rewriter.MAX_TOKENS)


def _cost(router: Router, model: str, prompt: int, completion: int) -> int | None:
    return router.cost(model, Usage(prompt=prompt, completion=completion))


async def _texts(pipeline: Pipeline, case: Case) -> list[str]:
    """What would be sent, with what was said before."""
    retrieval = pipeline.variant.retriever
    query = standalone(case.question, case.history)
    vector = await pipeline.retriever.aembed(query)
    found = await to_thread(
        pipeline.retriever.search,
        query,
        vector,
        mode=retrieval.mode,
        top_k=retrieval.top_k,
        candidates=retrieval.candidates,
        where=case.where,
    )
    context = await pipeline.assembly.packed(case.question, found.passages, case.history if query != case.question else ())
    return [message.content for message in context.messages]
