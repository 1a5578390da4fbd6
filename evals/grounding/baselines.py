"""What any validator must beat: measures of support that need no thought. They tell nothing supported or unsupported.

Knows words in common and cosines. Knows no claim of an answer.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np

from rag.answer.wording import vocabulary
from rag.embedders.base import Embedder, Vectors
from rag.text import analyzer
from rag.text.sentences import sentences
from rag.types import Claim, Passage, Verdict

KEPT = 20_000
"""Sentences whose vectors are kept."""


class UnigramPrecision:
    """The share of the answer's words that a passage has."""

    identity = "unigram-precision@1"

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        """One claim, the whole answer."""
        said = frozenset[str]().union(*(vocabulary(passage.text, "en") for passage in passages))
        terms = analyzer.terms(answer, "en")
        return _measured(answer, sum(term in said for term in terms) / len(terms)) if terms else []


class MaximumCosine:
    """The cosine between the answer and the sentence of the passages that is closest to it."""

    def __init__(self, embedder: Embedder) -> None:
        self.identity = f"maximum-cosine@1:{embedder.identity}"
        self._embedder = embedder
        self._vector: Callable[[str], Vectors] = functools.lru_cache(maxsize=KEPT)(lambda text: embedder.embed([text])[0])

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        """One claim, the whole answer."""
        texts = [passage.text[start:end] for passage in passages for start, end in sentences(passage.text)]
        if not answer.strip() or not texts:
            return []
        closest = max(float(np.dot(self._vector(answer), self._vector(text))) for text in texts)
        return _measured(answer, min(max(closest, 0.0), 1.0))


def _measured(answer: str, score: float) -> list[Claim]:
    return [Claim(text=answer, start=0, end=len(answer), verdict=Verdict.UNCERTAIN, score=score, reason="a measure alone")]
