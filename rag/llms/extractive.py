"""`local/extractive`: answers with the sentences of the passages that match the question best, word for word.

Knows BM25 over sentences. It needs no model, and cannot make anything up.
"""

import math
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

from rag.llms.base import Completion, Request, Usage
from rag.text.analyzer import asked, language, terms
from rag.text.sentences import sentences
from rag.types import Evidence, Passage

NAME = "local/extractive"
SATURATION, LENGTH = 1.2, 0.75
"""BM25's k1 and b, as commonly set."""
MIN_SHARE = 0.3
"""Of the best quotation's score, that another must reach: a third of all quotations do not, and few answers are lost with them."""
NO_STATEMENT = ("#", "```", "~~~", "|")
"""Headings, code and table rows begin with these."""
SAMPLE = 400
"""Characters by which the language is detected."""


class Extractive:
    """Answers with quotations, each with its citation: `"The default port is 8000." [2]`."""

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """See `rag.llms.base.LLM`."""
        quotes = quotations(request.question, request.passages)
        for position, quote in enumerate(quotes):
            yield f'{" " if position else ""}"{" ".join(quote.quote.split())}" [{quote.passage}]'
        if not quotes:
            yield request.refusal
        yield Completion(model=NAME, usage=Usage(), cost_nanodollars=0, finish_reason="stop")

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Zeros: there is no tokenizer, and no limit."""
        return [0] * len(texts)

    def window(self) -> None:
        """No limit: every passage is read."""

    def cost(self, usage: Usage) -> int:
        """See `rag.llms.base.LLM`; it is free."""
        return 0

    def estimate(self, request: Request, text: str) -> Usage:
        """See `rag.llms.base.LLM`; it is free."""
        return Usage()

    async def close(self) -> None:
        """Nothing to close."""


class _Sentence(NamedTuple):
    evidence: Evidence
    terms: Counter[str]


def quotations(question: str, passages: Sequence[Passage], limit: int = 3) -> list[Evidence]:
    """The best sentences, best first, at most `limit`; none if no sentence shares a term with the question.

    After the first, a sentence scores only by terms of the question that the sentences before it lack.
    """
    spoken = language(passages[0].text[:SAMPLE]) if passages else "und"
    candidates = [sentence for passage in passages for sentence in _sentences(passage, spoken)]
    frequency = Counter(term for sentence in candidates for term in sentence.terms)
    mean = sum(sentence.terms.total() for sentence in candidates) / max(1, len(candidates))
    wanted = {
        term: math.log(1 + (len(candidates) - frequency[term] + 0.5) / (frequency[term] + 0.5))
        for term in asked(question, (spoken,))
        if term in frequency
    }
    chosen: list[Evidence] = []
    floor = 0.0
    while wanted and len(chosen) < limit:
        scores = [_score(sentence.terms, wanted, mean) for sentence in candidates]
        best = max(range(len(candidates)), key=scores.__getitem__)
        if scores[best] < floor:
            break
        floor = floor or scores[best] * MIN_SHARE
        chosen.append(candidates[best].evidence)
        wanted = {term: rarity for term, rarity in wanted.items() if term not in candidates[best].terms}
    return chosen


def _sentences(passage: Passage, spoken: str) -> list[_Sentence]:
    found = []
    for start, end in sentences(passage.text, spoken):
        quote = passage.text[start:end]
        counted = Counter(terms(quote, spoken))
        if counted and not quote.startswith(NO_STATEMENT) and not quote.endswith("?"):
            found.append(_Sentence(Evidence(passage=passage.number, start=start, end=end, quote=quote), counted))
    return found


def _score(counted: Counter[str], wanted: dict[str, float], mean: float) -> float:
    norm = SATURATION * (1 - LENGTH + LENGTH * counted.total() / mean)
    return sum(rarity * counted[term] * (SATURATION + 1) / (counted[term] + norm) for term, rarity in wanted.items())
