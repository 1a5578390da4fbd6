"""A validator whose scores are written in the responses, and labels whose truth is known."""

from collections.abc import Sequence

import numpy as np

from evals.grounding.labels import Label, LabelSet
from rag.types import Claim, Passage, Tier, Verdict


class Scored:
    """Reads `0.25 contradicted. 0.75` as two claims with these scores; a response without a number states nothing."""

    identity = "scored@1"

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        return [_claim(part) for part in answer.split("; ") if part]


def _claim(text: str) -> Claim:
    score, _, rule = text.partition(" ")
    verdict = Verdict.CONTRADICTED if rule else Verdict.UNCERTAIN
    return Claim(text=text, start=0, end=len(text), verdict=verdict, score=float(score), tier=Tier.LEXICAL, reason="")


def label(response: str, *, supported: bool, id: str = "1") -> Label:
    return Label(id=id, context="c", response=response, label=0 if supported else 1)


def labelled(n: int, seed: int, *, slope: float = 6.0, middle: float = 0.5, name: str = "made") -> LabelSet:
    """Scores even over 0..1; a response is supported with probability 1 / (1 + exp(-slope * (score - middle)))."""
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    supported = rng.random(n) < 1 / (1 + np.exp(-slope * (scores - middle)))
    return LabelSet(
        name,
        [
            label(f"{score:.6f}", supported=bool(is_so), id=str(row))
            for row, (score, is_so) in enumerate(zip(scores, supported, strict=True))
        ],
    )
