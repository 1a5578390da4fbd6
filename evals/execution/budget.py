"""How far a comparison is, what it has spent, and what it may spend.

Knows prices of what was asked and of the dearest that may be. Knows nothing of how anything is asked.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evals.cases import Case
from evals.execution.estimate import judgement_price, lengths, price, said
from rag.errors import GroundwireError
from rag.llms.base import Attempt
from rag.pipeline import Pipeline


@dataclass
class Standing:
    """How far a comparison is; counts of requests, over all arms."""

    planned: int = 0
    found: int = 0
    """Answered by an earlier command."""
    answered: int = 0
    """By this one, failures among them."""
    failed: int = 0
    under_way: int = 0
    at_once: int = 0
    """The most calls that were under way together when one was answered."""
    spent: int = 0
    """Nano-dollars, now: what was answered before is not paid again."""
    unpriced: int = 0
    """Calls that were made now and whose cost is not known."""
    dearest: int | None = None
    """Nano-dollars that one answer has cost, with its judgement, or may; null where nobody asked what it may."""
    started: float = field(default_factory=time.monotonic)
    ended: str | None = None
    """Why not all was asked."""

    @property
    def taken(self) -> int:
        """Nano-dollars of a budget: what is spent, and what is under way or was never priced, each as dear as any."""
        return self.spent + (self.unpriced + self.under_way) * (self.dearest or 0)

    def pay(self, attempts: Sequence[Attempt]) -> int:
        """Count what these calls have cost now, and return it: a replayed one costs nothing."""
        costs = [attempt.cost_nanodollars for attempt in attempts if attempt.replayed is None]
        known = [cost for cost in costs if cost is not None]
        self.spent += sum(known)
        self.unpriced += len(costs) - len(known)
        return sum(known)

    @property
    def done(self) -> int:
        return self.found + self.answered

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started


@dataclass
class Budget:
    """What a command may spend, on answers and on the judge, over all that it compares."""

    nanodollars: int
    standings: list[Standing] = field(default_factory=list)
    """Of every comparison that draws on it."""

    def bears(self, more: int) -> bool:
        """Whether so many nano-dollars are left."""
        return sum(standing.taken for standing in self.standings) + more <= self.nanodollars


class Limits(NamedTuple):
    """What a command may take."""

    concurrency: int | None = None
    """Requests at once; null to find out what the provider takes."""
    budget: Budget | None = None
    retry_failed: bool = False
    """Ask again what failed before."""


async def dearest(pipelines: Sequence[Pipeline], cases: Sequence[Case], judge_model: str | None) -> int:
    """Nano-dollars of an answer to the longest questions, with its judgement, as long as any may be.

    Raises `GroundwireError` where a price is not known.
    """
    most, longest = 0, sorted(cases, key=said, reverse=True)
    for pipeline in pipelines:
        prompt = max(await lengths(pipeline, longest))
        bounds = price(pipeline, prompt)
        if bounds is None:
            judging = pipeline.variant.validator.judge
            raise _unpriced(", ".join([*pipeline.assembly.models, *([judging] if judging else [])]))
        most = max(most, bounds[1] + (_judging(pipeline, judge_model, prompt) if judge_model else 0))
    return most


def _judging(pipeline: Pipeline, model: str, prompt: int) -> int:
    most = judgement_price(pipeline.router, model, prompt, pipeline.variant.llm.max_tokens)
    if most is None:
        raise _unpriced(model)
    return most


def _unpriced(models: str) -> GroundwireError:
    return GroundwireError(f"the price of {models} is not known, so --max-cost cannot be enforced", "leave out --max-cost")
