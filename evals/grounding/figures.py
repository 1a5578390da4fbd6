"""What a validator said of labelled responses and of flips, counted: discrimination, verdicts, times.

Knows outcomes and shares. Knows no validator, and nothing of how a response was judged.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from evals.comparison import Estimate
from evals.grounding.discrimination import auroc, balanced_accuracy, best_threshold
from evals.grounding.flips import Kind
from evals.grounding.labels import EVEN, LabelSet, probability
from evals.scores import FloatArray
from rag.answer.withholding import UNGROUNDED
from rag.types import Claim, Value

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Outcome(NamedTuple):
    """What a validator said of one response."""

    probability: float | None
    """That it is supported; null where the validator has no calibration, or could weigh none of its claims."""
    score: float
    """The least of its claims' scores; 1 where it states nothing."""
    rejected: bool
    stated: bool
    """Whether it has a claim at all."""
    ms: float


class Pair(NamedTuple):
    """What a validator said of a flip, and of the response it was made of: the same outcome for each of its flips."""

    kind: Kind
    flipped: Outcome
    original: Outcome


class SetFigures(Value):
    """One validator over one set. Shares lie in 0..1; what cannot be known, with one class only or no calibration, is null."""

    name: str
    family: str
    rows: int
    hallucinated: int
    unstated: int
    """Rows in which the validator finds nothing stated, whatever people said of them: they count as supported."""
    auroc: Estimate | None
    """Of the probability, or of the score where the validator has no calibration."""
    score_auroc: float | None
    """Of the score: what is above `auroc` is lost to the calibration, which may give different scores one probability."""
    balanced_accuracy: float | None
    """At the shipped threshold, a probability of one half."""
    best_balanced_accuracy: float | None
    """At the threshold that is best for this set."""
    best_threshold: float | None
    caught: float | None
    """The share of what is hallucinated that is rejected."""
    false_alarms: float | None
    """The share of what is supported that is rejected."""
    doubted: float | None
    """The share of what is supported whose probability is under one half."""
    ms_p50: float
    """Milliseconds an answer; what its passages were read as is kept by some validators, as it would be when serving."""
    ms_p95: float


class FlipFigures(Value):
    """One validator over the flips of one kind, and over the responses they were made of."""

    kind: Kind | None
    """Null: all kinds together."""
    flips: int
    originals: int
    caught: Estimate
    """The share of flips that are rejected."""
    false_alarms: Estimate
    """The share of their originals that are rejected."""
    doubted: float | None
    doubted_originals: float | None
    auroc: Estimate | None


def judged(claims: Sequence[Claim], ms: float) -> Outcome:
    """Of the claims that were found in a response within so many milliseconds."""
    least = min((claim.score for claim in claims), default=1.0)
    return Outcome(probability(claims), least, any(claim.verdict in UNGROUNDED for claim in claims), bool(claims), ms)


def set_figures(labelled: LabelSet, said: Sequence[Outcome], calibrated: bool) -> SetFigures:
    """Of the outcomes of a set, in its order."""
    hallucinated = np.array([label.hallucinated for label in labelled.labels])
    support = _support(said, calibrated)
    good, bad = support[~hallucinated], support[hallucinated]
    rejected = np.array([outcome.rejected for outcome in said])
    scores = np.array([outcome.score for outcome in said])
    by_score = auroc(scores[~hallucinated], scores[hallucinated])
    best = best_threshold(good, bad)
    p50, p95 = np.quantile([outcome.ms for outcome in said], [0.5, 0.95])
    return SetFigures(
        name=labelled.name,
        family=labelled.family,
        rows=len(said),
        hallucinated=int(hallucinated.sum()),
        unstated=sum(not outcome.stated for outcome in said),
        auroc=auroc(good, bad),
        score_auroc=by_score.value if by_score else None,
        balanced_accuracy=balanced_accuracy(good, bad, EVEN) if calibrated else None,
        best_balanced_accuracy=best.balanced_accuracy if best else None,
        best_threshold=best.threshold if best else None,
        caught=_share(rejected[hallucinated]),
        false_alarms=_share(rejected[~hallucinated]),
        doubted=_share(good < EVEN) if calibrated else None,
        ms_p50=float(p50),
        ms_p95=float(p95),
    )


def _of_kind(kind: Kind | None, pairs: Sequence[Pair], calibrated: bool) -> FlipFigures:
    from evals.stats.intervals import of_proportion

    flipped = [pair.flipped for pair in pairs]
    originals = list({id(pair.original): pair.original for pair in pairs}.values())
    caught, alarms = (np.array([outcome.rejected for outcome in said], dtype=np.float64) for said in (flipped, originals))
    bad, good = _support(flipped, calibrated), _support(originals, calibrated)
    return FlipFigures(
        kind=kind,
        flips=len(flipped),
        originals=len(originals),
        caught=of_proportion(caught, level=0.95),
        false_alarms=of_proportion(alarms, level=0.95),
        doubted=_share(bad < EVEN) if calibrated else None,
        doubted_originals=_share(good < EVEN) if calibrated else None,
        auroc=auroc(good, bad),
    )


def _support(said: Sequence[Outcome], calibrated: bool) -> FloatArray:
    """The probability, even where it is not known; the score of a validator that gives none at all."""
    if not calibrated:
        return np.array([outcome.score for outcome in said])
    return np.array([EVEN if outcome.probability is None else outcome.probability for outcome in said])


def _share(flags: "NDArray[np.bool_]") -> float | None:
    return float(np.mean(flags)) if len(flags) else None


def flip_figures(pairs: Sequence[Pair], calibrated: bool) -> Iterator[FlipFigures]:
    """Of each kind, then of all together."""
    for kind in sorted({pair.kind for pair in pairs}):
        yield _of_kind(kind, [pair for pair in pairs if pair.kind is kind], calibrated)
    if pairs:
        yield _of_kind(None, pairs, calibrated)
