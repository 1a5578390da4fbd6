"""How long an ordinary answer takes a validator, over passages that are new to it and once more.

Knows the clock, and how an ordinary answer is made of labelled responses. Knows no validator's method.
"""

import functools
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from evals.grounding.labels import LabelSet, passages, sample
from rag.answer.claims import statements
from rag.types import Claim, Passage, Value
from rag.validators.base import Validator

CLAIMS, PASSAGES, ANSWERS = 8, 5, 60
"""Of an ordinary answer, and how many such answers are timed."""
passages_of = functools.lru_cache(maxsize=64)(passages)
"""Neighbouring labels share their context."""


class Speed(Value):
    """Milliseconds for an ordinary answer, of `CLAIMS` sentences over `PASSAGES` passages."""

    answers: int
    ms_p50: float
    ms_p95: float
    """Over passages that the validator has not seen before."""
    again_ms_p50: float
    again_ms_p95: float
    """The same answers once more."""


class Answer(NamedTuple):
    """Supported responses strung together, and passages of their contexts."""

    text: str
    passages: Sequence[Passage]


def answers(sets: Iterable[LabelSet], seed: int) -> list[Answer]:
    """At most `ANSWERS` of `CLAIMS` responses each, every response one sentence and of the same set; no context is in two of them."""
    found = []
    for labelled in sets:
        lone = {
            label.context: label
            for label in labelled.labels
            if not label.hallucinated and label.context.strip() and len(statements(label.response)) == 1
        }
        drawn = sample(list(lone.values()), len(lone), seed)
        for start in range(0, len(drawn) - CLAIMS + 1, CLAIMS):
            group = drawn[start : start + CLAIMS]
            firsts = [passages_of(label.context)[0] for label in group[:PASSAGES]]
            given = [passage.model_copy(update={"number": number}) for number, passage in enumerate(firsts, start=1)]
            found.append(Answer(" ".join(f"{label.response.rstrip(' .')}." for label in group), given))
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[place] for place in order[:ANSWERS]]


def speed(validator: Validator, asked: Sequence[Answer]) -> Speed | None:
    """Null where there are too few answers. The first is not counted: it pays for what is loaded once in a process."""
    if len(asked) < 2:
        return None
    new, again = ([timed(validator, "", answer.text, answer.passages)[1] for answer in asked][1:] for _ in range(2))
    (p50, p95), (again_p50, again_p95) = (map(float, np.quantile(ms, [0.5, 0.95])) for ms in (new, again))
    return Speed(answers=len(asked) - 1, ms_p50=p50, ms_p95=p95, again_ms_p50=again_p50, again_ms_p95=again_p95)


def timed(validator: Validator, question: str, answer: str, given: Sequence[Passage]) -> tuple[list[Claim], float]:
    """The claims, and the milliseconds they took."""
    started = time.perf_counter()
    claims = validator.validate(question, answer, given)
    return claims, 1000 * (time.perf_counter() - started)
