"""An upper bound on the cost of one request, reserved before it runs.

Knows which calls a variant can make, and how often. Knows no price: the backends do.
"""

from collections.abc import Iterator
from typing import NamedTuple

from rag.answer.release import Policy
from rag.conversation import rewriter
from rag.llms.base import Usage
from rag.llms.pricing import total
from rag.llms.router import Router
from rag.validators import judge
from rag.variant import Variant

SENTENCE_TOKENS = 8
"""Tokens of a short sentence: bounds how many sentences a gated answer can be judged in."""


class Calls(NamedTuple):
    """`times` calls to a model, each with at most so many tokens of prompt and completion."""

    model: str
    times: int
    prompt: int
    completion: int


def max_cost(variant: Variant, router: Router, prompt_tokens: int) -> int | None:
    """In nano-dollars: every call retried as often as allowed, answered at full length, and billed each time.

    Null if the price of a model is not known. `prompt_tokens` bounds the answer's prompt, for the tokenizer of any model.
    """
    return total(_cost(router, calls) for calls in _calls(variant, prompt_tokens))


def _calls(variant: Variant, prompt: int) -> Iterator[Calls]:
    llm, tries = variant.llm, variant.llm.attempts
    for model in dict.fromkeys((llm.model, *llm.fallbacks)):
        yield Calls(model, tries, prompt, llm.max_tokens)
        if variant.release.policy is Policy.RETRY:
            yield Calls(model, tries, prompt + 3 * llm.max_tokens, llm.max_tokens)
    if variant.prompts.rewrite:
        yield Calls(llm.model, 1, prompt + rewriter.PROMPT_TOKENS, rewriter.MAX_TOKENS)
    if variant.validator.judge:
        stretches = -(-llm.max_tokens // SENTENCE_TOKENS) if variant.release.gate == "sentence" else 2
        yield Calls(
            variant.validator.judge, 2 * tries * stretches, prompt + judge.ANSWER, judge.TOKENS_PER_CLAIM * (judge.CLAIMS + 1)
        )


def _cost(router: Router, calls: Calls) -> int | None:
    one = router.cost(calls.model, Usage(prompt=calls.prompt, completion=calls.completion))
    return None if one is None else one * calls.times
