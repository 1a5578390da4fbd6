"""Labelled responses as a calibration sees them, each by its least supported claim, and the curves that fit them.

Knows claims, tiers and weights. Knows nothing of files, thresholds or of how good a fit is.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.grounding.curves import Fitting, isotonic, log_odds, logistic, platt, probabilities, regression
from evals.grounding.labels import Label, LabelSet, passages
from evals.scores import BoolArray, FloatArray
from rag.types import Claim, Tier, Verdict
from rag.validators.base import Validator
from rag.validators.calibration import RULED, Calibration, TierCurve

Progress = Callable[[int, int], None]
"""Is told how many of how many are done."""
Curves = Mapping[Tier, TierCurve]
Weighting = Literal["as labelled", "equal sets and classes"]
Rows = NDArray[np.int64] | BoolArray
LEAST = 5
"""Responses of each class that a curve is fitted to."""
BASED = 10
"""Responses that a base counts as where there are too few to do without it: contradictions by a rule, or a tier's at all."""
EDGE = 0.24
"""What a claim that a rule rejects is given at least by curves for answers of any kind: just within "unsupported". Over all sets fewer of
them are supported, but on long passages half are, and far below all other claims they would tell less than no rule at all."""


class Judgement(NamedTuple):
    """The claims that a validator found in a labelled response."""

    set: str
    label: Label
    claims: Sequence[Claim]


class Weakest(NamedTuple):
    """The least supported claim of each response that states something: arrays of shape (n,)."""

    scores: FloatArray
    ruled: NDArray[np.str_]
    """The verdict of the rule that rejects it; empty where none does."""
    tiers: NDArray[np.str_]
    supported: BoolArray
    """Whether the response is, by its label."""
    sets: NDArray[np.str_]
    before: FloatArray
    """Its probability by the tier before; NaN where there is none."""

    def of(self, rows: Rows) -> "Weakest":
        """Some of the rows, by number or mask."""
        kept = (
            self.scores[rows],
            self.ruled[rows],
            self.tiers[rows],
            self.supported[rows],
            self.sets[rows],
            self.before[rows],
        )
        return Weakest(*kept)

    def pooled(self, carried: float) -> FloatArray:
        """The scores, with the probability by the tier before in them as `TierCurve.carried` says; shape (n,)."""
        odds = (1 - carried) * log_odds(self.scores) + carried * log_odds(self.before)
        return np.where(np.isnan(odds) | (carried == 0), self.scores, logistic(odds))

    def probabilities(self, curves: Curves) -> FloatArray:
        """By the curve of each row's tier; NaN where it has none."""
        found = np.full(len(self.scores), np.nan)
        for tier, fitted in curves.items():
            mine = self.tiers == tier
            weighed = probabilities(fitted.curve, self.of(mine).pooled(fitted.carried))
            most = np.array([fitted.levels.get(Verdict(rule), 1.0) if rule else 1.0 for rule in self.ruled[mine].tolist()])
            found[mine] = np.minimum(weighed, most)
        return found


class Stage(NamedTuple):
    """The tiers that a validator adds to those before it, and the responses as it sees them."""

    tiers: tuple[Tier, ...]
    rows: Weakest


@dataclass(frozen=True)
class Sample:
    """Labelled responses through every stage, the same rows in each."""

    stages: tuple[Stage, ...]
    weighting: Weighting
    base: Calibration | None = None
    """Whose curves, shifted to this sample's share, stand for tiers that decide too few responses here."""
    seed: int = 0

    @property
    def rows(self) -> Weakest:
        """As the last validator sees them."""
        return self.stages[-1].rows

    @property
    def share(self) -> float:
        """Of supported responses, by their weight, with one more of each class where labels are counted (Laplace)."""
        if self.weighting == "equal sets and classes":
            return 0.5
        supported = self.rows.supported
        return float((supported.sum() + 1) / (len(supported) + 2))

    @property
    def weights(self) -> FloatArray:
        """Of the rows, shape (n,); their mean is 1."""
        return _weights(self.rows, self.weighting)

    @property
    def fitting(self) -> Fitting:
        """On several sets of equal weight, an isotonic curve would fit what does not carry over to others."""
        return isotonic if self.weighting == "as labelled" else platt

    @property
    def least(self) -> float:
        """What a claim that a rule rejects is given at least."""
        return 0.0 if self.weighting == "as labelled" else EDGE

    def of(self, rows: Rows) -> "Sample":
        """Some of the responses."""
        return replace(self, stages=tuple(Stage(stage.tiers, stage.rows.of(rows)) for stage in self.stages))

    def curves(self) -> dict[Tier, TierCurve]:
        """Of every tier, fitted to the responses that it decides in the stage that adds it."""
        found: dict[Tier, TierCurve] = {}
        for tiers, rows in self.stages:
            weights = _weights(rows, self.weighting)
            for tier in tiers:
                mine = rows.tiers == tier
                based = self._based(tier)
                fitted = _fitted(self.fitting, rows.of(mine), weights[mine], based, self.least)
                if fitted is not None:
                    found[tier] = fitted
                elif based is not None:
                    found[tier] = _moved(based, tier, rows.of(mine))
        return found

    def probabilities(self, curves: Curves) -> FloatArray:
        """Of the rows, shape (n,); the share where a row's tier has no curve."""
        found = self.rows.probabilities(curves)
        return np.where(np.isnan(found), self.share, found)

    def _based(self, tier: Tier) -> TierCurve | None:
        if self.base is None or tier not in self.base.tiers:
            return None
        return self.base.tiers[tier].shifted(_odds(self.share) - _odds(self.base.threshold))


def judge(sets: Sequence[LabelSet], validator: Validator, progress: Progress | None = None) -> list[Judgement]:
    """Validate every labelled response against its context, in order."""
    found: list[Judgement] = []
    total = sum(len(labels) for _, labels in sets)
    for name, labels in sets:
        for label in labels:
            claims = validator.validate(label.question or "", label.response, passages(label.context))
            found.append(Judgement(name, label, claims))
            if progress:
                progress(len(found), total)
    return found


def weakest(judgements: Sequence[Judgement], curves: Curves) -> Weakest:
    """By `curves`; of tiers without one, what a rule contradicts is least supported, then what has the lowest score."""

    def support(claim: Claim) -> tuple[float, float]:
        if claim.tier in curves:
            return curves[claim.tier].probability(claim), claim.score
        return -1.0 if claim.verdict is Verdict.CONTRADICTED else claim.score, claim.score

    stated = [judgement for judgement in judgements if judgement.claims]
    claims = [min(judgement.claims, key=support) for judgement in stated]
    return Weakest(
        scores=np.clip(np.array([claim.score for claim in claims]), 0.0, 1.0),
        ruled=np.array([claim.verdict.value if claim.verdict in RULED else "" for claim in claims], dtype=np.str_),
        tiers=np.array([claim.tier.value for claim in claims], dtype=np.str_),
        supported=np.array([not judgement.label.hallucinated for judgement in stated], dtype=np.bool_),
        sets=np.array([judgement.set for judgement in stated], dtype=np.str_),
        before=np.array([np.nan if claim.probability is None else claim.probability for claim in claims], dtype=np.float64),
    )


def _fitted(fit: Fitting, rows: Weakest, weights: FloatArray, based: TierCurve | None, least: float) -> TierCurve | None:
    """Null where there are too few rows."""
    free = rows.ruled == ""
    weighed = rows.of(free)
    if min(weighed.supported.sum(), (~weighed.supported).sum()) < LEAST:
        return None
    heavy = weights[free]
    carried = _carried(weighed, heavy) if based is None else based.carried
    return TierCurve(
        curve=fit(weighed.pooled(carried), weighed.supported, heavy),
        levels=_levels(rows, weights, based, least),
        carried=carried,
    )


def _moved(based: TierCurve, tier: Tier, rows: Weakest) -> TierCurve:
    """The curve shifted to the share of supported rows, to which it counts as `BASED` more."""
    if not len(rows.supported):
        return based
    share = float(np.mean(rows.probabilities({tier: based})))
    return based.shifted(_odds((float(rows.supported.sum()) + BASED * share) / (len(rows.supported) + BASED)) - _odds(share))


def _carried(rows: Weakest, weights: FloatArray) -> float:
    """What share of the log odds is due to the tier before, by logistic regression on both; neither counts against a claim."""
    if np.isnan(rows.before).any():
        return 0.0
    here, before = regression([log_odds(rows.scores), log_odds(rows.before)], rows.supported, weights)[:2].clip(0.0)
    return round(float(before / (here + before)), 4) if here + before > 0 else 0.0


def _levels(rows: Weakest, weights: FloatArray, based: TierCurve | None, least: float) -> dict[Verdict, float]:
    """How often what a rule rejects with a verdict is supported, by its weight: with `BASED` more at the level that is known, else with
    one more of each class (Laplace); the known level, if any, where there is none to learn from. `least` where it is less.
    """
    levels = dict(based.levels) if based else {}
    for verdict in RULED:
        mine = rows.ruled == verdict.value
        if mine.any():
            more, level = (BASED, levels[verdict]) if verdict in levels else (2, 0.5)
            supported = float(weights[mine & rows.supported].sum())
            share = (more * level + supported) / (more + float(weights[mine].sum()))
            levels[verdict] = max(least, round(share, 6))
    return levels


def _weights(rows: Weakest, weighting: Weighting) -> FloatArray:
    weights = np.ones(len(rows.supported))
    if weighting == "equal sets and classes":
        for name in np.unique(rows.sets):
            for mine in ((rows.sets == name) & rows.supported, (rows.sets == name) & ~rows.supported):
                weights[mine] = 1 / max(1, int(mine.sum()))
    scaled: FloatArray = weights / weights.mean()
    return scaled


def _odds(share: float) -> float:
    return math.log(share / (1 - share))
