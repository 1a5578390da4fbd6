"""What is said of two runs: effects with their intervals, findings, a verdict.

Knows the words and what belongs together. Knows nothing of how any number is computed or shown.
"""

import enum
from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Self

from pydantic import ConfigDict

from evals.cases import Case
from evals.scorers.base import Metric
from rag.errors import GroundwireError
from rag.trace import Outcome
from rag.types import Claim, Value
from rag.variant import Variant


class Role(enum.StrEnum):
    """What a metric decides: the verdict, whether the change is tolerable, or nothing."""

    PRIMARY = "primary"
    GUARDRAIL = "guardrail"
    OTHER = "other"


class Finding(enum.StrEnum):
    """What is known of B against A on one metric. A guardrail that is not worse by its margin is `HELD`, one that is, `WORSE`."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    HELD = "held"
    UNKNOWN = "not known yet"


class Verdict(enum.StrEnum):
    """What is known of B against A altogether."""

    BETTER = "better"
    WORSE = "worse"
    EQUIVALENT = "equivalent"
    UNKNOWN = "not known yet"
    UNTRUSTWORTHY = "not trustworthy"

    @property
    def exit_code(self) -> int:
        """0 better or equivalent, 1 worse, 3 not known yet, 4 not trustworthy."""
        return {Verdict.BETTER: 0, Verdict.EQUIVALENT: 0, Verdict.WORSE: 1, Verdict.UNKNOWN: 3, Verdict.UNTRUSTWORTHY: 4}[self]


GRAVEST = (Verdict.UNTRUSTWORTHY, Verdict.WORSE, Verdict.UNKNOWN, Verdict.BETTER, Verdict.EQUIVALENT)
"""The gravest first."""


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several: not trustworthy, then worse, then not known yet; better or equivalent where there is none of these."""
    return min(verdicts, key=GRAVEST.index, default=Verdict.EQUIVALENT)


class Guardrail(Value):
    """How much worse B may be: as a share of A's mean (`relative`), or in the metric's own unit."""

    metric: str
    margin: float
    relative: bool = False
    by_default: bool = False
    """Nobody named it: where it cannot be measured it is left out, instead of keeping the verdict open. Who keeps a baseline and tries
    one prompt after the other would otherwise be told "not known yet" by every run whose baseline was answered before, and so would
    who wants no citations.
    """

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `cost=10%` or `hallucination=0.05`. Raises `GroundwireError` where it is not of that form."""
        metric, _, margin = text.partition("=")
        relative = margin.endswith("%")
        try:
            value = float(margin.removesuffix("%"))
        except ValueError:
            value = -1.0
        if not isfinite(value) or value < 0:
            raise GroundwireError(f"--guardrail {text} is not METRIC=MARGIN", "write it as in cost=10% or hallucination=0.05")
        return cls(metric=metric, margin=value / 100 if relative else value, relative=relative)

    @property
    def option(self) -> str:
        """What `parse` reads, as a command takes it: `--guardrail cost=10%`."""
        return f"--guardrail {self.metric}={f'{100 * self.margin:g}%' if self.relative else f'{self.margin:g}'}"


class Design(Value):
    """What is decided before the numbers are seen."""

    primary: tuple[str, ...]
    """Metrics; Holm's correction spans them."""
    guardrails: tuple[Guardrail, ...] = ()
    margin: float = 0.03
    """Of a primary metric, in its unit: a difference within it either way is too small to matter."""
    cluster_by: str | None = None
    """`document`, or a tag: cases that share it are not independent."""
    level: float = 0.95
    seed: int = 0


class Measured(Value):
    """A value whose numbers may be infinite or NaN, and are so again when read from JSON: there they are strings."""

    model_config = ConfigDict(ser_json_inf_nan="strings")


class Estimate(Measured):
    """A value with its interval, and how that was made."""

    value: float
    low: float
    high: float
    level: float = 0.95
    method: str


class Effect(Measured):
    """B against A on one metric. `difference` is B minus A whichever way is good."""

    metric: Metric
    role: Role
    pairs: int
    """Cases that have a value on both sides."""
    units: int
    """Independent ones: clusters, or the cases themselves."""
    a: Estimate
    b: Estimate
    difference: Estimate
    naive: Estimate | None = None
    """As if the two sides had answered different questions: what pairing saves."""
    p: float
    test: str
    p_adjusted: float | None = None
    """By Holm over the primary metrics; null for the others."""
    q: float | None = None
    """By Benjamini and Hochberg over the metrics that decide nothing; null for those that decide."""
    margin: float | None = None
    """In the metric's unit."""
    finding: Finding
    needed: int | None = None
    """Pairs that would tell what is not known yet, as often as `evals plan` plans for; null where no number worth naming would, or it is known."""
    missing_a: int = 0
    missing_b: int = 0
    lacking: str | None = None
    """Why so many of its values are missing that nothing is known of it: its numbers are NaN."""
    alone: int = 0
    """Cases that have it on one side only, and to which it does not apply on the other."""
    torn: int = 0
    """Cases of which a judge said two things."""
    worst_case: tuple[float, float] | None = None
    """The difference if everything that is not known were as bad, and as good, for B as can be; null where all is known."""


class QuantileEffect(Measured):
    """B against A at one quantile of a metric, such as the 95th percentile of latency."""

    metric: Metric
    quantile: float
    a: float
    b: float
    difference: Estimate


class TagEffect(Measured):
    """B against A on the cases of one tag."""

    tag: str
    value: str
    metric: Metric
    pairs: int
    difference: Estimate
    p: float
    q: float
    """By Benjamini and Hochberg over all tags and primary metrics."""
    finding: Finding


class Answer(Measured):
    """One side of a flip."""

    trace_id: str
    outcome: Outcome | None
    text: str
    score: float
    claims: tuple[Claim, ...] = ()


class Flip(Value):
    """A case whose score went from one side of the middle to the other, or moved furthest."""

    case: Case
    metric: str
    gained: bool
    """B did better."""
    crossed: bool = True
    """Else it only moved far."""
    a: Answer
    b: Answer


class VarianceShares(Value):
    """Where the variance of one metric's difference comes from; the shares add up to 1, null where the run cannot tell."""

    metric: str
    cases: float
    """The change helps some questions and hurts others."""
    retrieval: float | None = None
    """The part of that which the passages found explain."""
    generation: float | None = None
    """The same question, asked again: needs repeats."""
    judge: float | None = None
    """The same answer, judged again: needs a judge."""


class Side(Value):
    """One of the two runs."""

    run_id: str
    name: str
    """`answer@2`, or a variant's name."""
    variant: Variant
    prompts: Mapping[str, str]
    """Reference to sha256."""
    prompt_text: str
    outcomes: Mapping[str, int]
    """How its requests ended."""
    cost_nanodollars: int | None
    """Of all answers; null where the price of one is not known."""
    latencies: tuple[float, ...] = ()
    """Seconds, of at most 1,000 answers evenly chosen from the sorted ones, the smallest and the largest among them."""


class EarlyStop(Value):
    """A run that was looked at after every case, and ended when it was known."""

    asked: int
    planned: int
    stopped: bool
    saved_calls: int
    saved_nanodollars: int | None
    looks: int = 1
    """At the verdict, of which the guardrails' intervals each have a part of the error."""
    metric: str
    p: float
    """Valid however often it was looked at."""


class Agreement(Value):
    """How often a judge says what people said."""

    labels: int
    share: float
    kappa: float
    interval: Estimate
    """Of the share."""


class Comparison(Value):
    """Two runs over the same cases, paired: all that a report shows."""

    created_at: str
    a: Side
    b: Side
    cases: str
    """The file."""
    fingerprint: str
    asked: int
    """Cases."""
    repeats: int
    collection: str
    generation: str
    design: Design
    verdict: Verdict
    reasons: tuple[str, ...]
    """Sentences for people: what decided the verdict, then what is open, and what would settle it."""
    problems: tuple[str, ...] = ()
    """Sentences for people: what to know before trusting it (failures, missing values, gold documents that are gone)."""
    notes: tuple[str, ...] = ()
    """The same of few cases, which change little."""
    effects: tuple[Effect, ...]
    quantiles: tuple[QuantileEffect, ...] = ()
    tags: tuple[TagEffect, ...] = ()
    flips: tuple[Flip, ...] = ()
    """Those that moved furthest."""
    lost: int = 0
    """Cases whose answer went from good to bad; of all of them, `flips` shows some."""
    gained: int = 0
    variances: tuple[VarianceShares, ...] = ()
    judge_nanodollars: int | None = 0
    judge: str | None = None
    """Its model and prompt."""
    agreement: Agreement | None = None
    spent_nanodollars: int | None = 0
    """By this command: what was answered before is not paid again."""
    seconds: float = 0.0
    at_once: int = 0
    """The most calls of this command that were under way together; 0 where it made none."""
    early: EarlyStop | None = None
