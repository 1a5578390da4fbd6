"""What is said of one run: means with their intervals, quantiles, its worst answers, and what failed.

Knows the words and what belongs together. Knows nothing of how any number is computed or shown.
"""

from evals.cases import Case
from evals.comparison import Agreement, Answer, Estimate, Measured, Side
from evals.scorers.base import Metric
from rag.trace import Outcome
from rag.types import Value


class Mean(Measured):
    """One metric over the cases, each the mean of its repeats."""

    metric: Metric
    estimate: Estimate | None
    """Null where no case has a value."""
    cases: int
    """That have one."""
    missing: int
    """Values that should be there and are not."""


class Quantile(Measured):
    """One quantile of a metric over all requests, such as the 95th percentile of latency."""

    metric: Metric
    quantile: float
    estimate: Estimate


class Worst(Value):
    """A case that was answered badly, with the answer that is nearest to its mean."""

    case: Case
    metric: str
    answer: Answer


class Failure(Value):
    """A request that was not answered."""

    case: Case
    trace_id: str
    outcome: Outcome
    reason: str | None


class Measurement(Value):
    """One variant over a set of cases: all that a report shows."""

    created_at: str
    run: Side
    cases: str
    """The file."""
    fingerprint: str
    asked: int
    """Cases."""
    planned: int
    """Cases."""
    repeats: int
    collection: str
    generation: str
    trustworthy: bool
    """Whether enough of the requests were answered."""
    problems: tuple[str, ...] = ()
    """Sentences for people: what to know before trusting it."""
    means: tuple[Mean, ...]
    """The primary metrics first."""
    primary: tuple[str, ...]
    quantiles: tuple[Quantile, ...] = ()
    worst: tuple[Worst, ...] = ()
    """By the first primary metric, the worst first; what was not answered is among the failures instead."""
    failures: tuple[Failure, ...] = ()
    failed: int = 0
    """Requests; of all of them, `failures` shows some."""
    judge_nanodollars: int | None = 0
    judge: str | None = None
    """Its model and prompt."""
    agreement: Agreement | None = None
    spent_nanodollars: int | None = 0
    """By this command: what was answered before is not paid again."""
    seconds: float = 0.0
    at_once: int = 0
    """The most calls of this command that were under way together; 0 where it made none."""
