"""The most that one request can cost: what is set aside for it before it is known what it does cost.

Knows which calls a variant can make, and how often. Knows no price: the backends do.
"""

from collections.abc import Iterator
from typing import NamedTuple

from rag.answer.release import Policy
from rag.conversation import rewriter
from rag.llms.base import Usage
from rag.llms.router import Router
from rag.validators import judge
from rag.variant import Variant

SENTENCE = 8
"""Tokens of a short sentence: no more of an answer are judged one by one than it has room for such."""


class Calls(NamedTuple):
    """So many calls to a model, each of at most so many tokens."""

    model: str
    times: int
    prompt: int
    completion: int


def ceiling(variant: Variant, router: Router, prompt_tokens: int) -> int | None:
    """Nano-dollars, were every call tried as often as it may be, answered at full length, and billed each time; null where the price
    of a model is not known. `prompt_tokens` bounds the answer's prompt, for the tokenizer of any model.
    """
    costs = [_cost(router, calls) for calls in _calls(variant, prompt_tokens)]
    return None if None in costs else sum(cost for cost in costs if cost is not None)


def _calls(variant: Variant, prompt: int) -> Iterator[Calls]:
    llm, tries = variant.llm, variant.llm.attempts
    for model in dict.fromkeys((llm.model, *llm.fallbacks)):
        yield Calls(model, tries, prompt, llm.max_tokens)
        if variant.release.policy is Policy.RETRY:
            yield Calls(model, tries, prompt + 3 * llm.max_tokens, llm.max_tokens)
    if variant.prompts.rewrite:
        yield Calls(llm.model, 1, prompt + rewriter.PROMPT_TOKENS, rewriter.MAX_TOKENS)
    if variant.validator.judge:
        stretches = -(-llm.max_tokens // SENTENCE) if variant.release.gate == "sentence" else 2
        yield Calls(
            variant.validator.judge, 2 * tries * stretches, prompt + judge.ANSWER, judge.TOKENS_PER_CLAIM * (judge.CLAIMS + 1)
        )


def _cost(router: Router, calls: Calls) -> int | None:
    one = router.cost(calls.model, Usage(prompt=calls.prompt, completion=calls.completion))
    return None if one is None else one * calls.times
