"""How well a calibration carries over to sets it was not fitted to, and how soon labels of their own mend it.

Knows sets and families. Knows nothing of how a curve is fitted.
"""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from evals.grounding.calibrate import LICENSED, assembled, fit_of, held_out, staged
from evals.grounding.discrimination import best_threshold
from evals.grounding.judgements import Progress, Sample
from evals.grounding.labels import LabelSet, family
from evals.grounding.reliability import reliability
from evals.scores import BoolArray, FloatArray
from rag.types import Value
from rag.validators.base import Validator
from rag.validators.entailment.base import Entailment

LABELS = 100
REPEATS = 50


class Transfer(Value):
    """One set. Shares of balanced accuracy are lost against the best threshold of the very rows they are measured on."""

    set: str
    responses: int
    supported: float
    """The share."""
    best: float
    """Balanced accuracy of the set's own best threshold."""
    lost: float
    """Of it, at the threshold .5 of a calibration fitted to the licensed sets of other families."""
    chance: float
    """How much of `best` its threshold owes to having been chosen on these very rows, by `REPEATS` bootstrap samples (Efron, 1983): so
    much of what another threshold loses is no fault of it."""
    lost_after: float | None
    """Of it, after `LABELS` random labels of the set, the mean of `REPEATS`; null where the set is too small."""
    error_after: float | None
    """Expected calibration error after those labels."""
    error: float
    """After nine tenths of the labels, on the others (ten-fold)."""
    debiased: float
    """Of that, the root of the mean square, less what chance adds."""


def transfer(
    sets: Sequence[LabelSet],
    first: Validator,
    entailment: Entailment | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> list[Transfer]:
    """By set. All claims are judged once: what a tier is asked is routed by a calibration of all licensed sets, everything else is
    fitted without the set's family.
    """
    pooled = staged(sets, first, entailment, "equal sets and classes", None, seed, progress)
    return [_transfer(pooled, name, seed) for name in dict.fromkeys(pooled.rows.sets.tolist())]


def _transfer(pooled: Sample, name: str, seed: int) -> Transfer:
    names = pooled.rows.sets
    families = np.array([family(each) for each in names])
    others = pooled.of(np.isin(names, LICENSED) & (families != family(name)))
    curves = others.curves()
    base = assembled("others", curves, others.share, fit_of(others, (), "", ""))
    own = Sample(pooled.of(names == name).stages, "as labelled", base, seed)
    supported = own.rows.supported
    shipped = own.rows.probabilities(curves)
    best = _best(shipped, supported)
    reliable = reliability(held_out(own), supported, own.weights)
    after = [_after(own, rows) for rows in _draws(supported, seed)]
    return Transfer(
        set=name,
        responses=len(supported),
        supported=float(supported.mean()),
        best=best,
        lost=best - _accuracy(shipped >= 0.5, supported),
        chance=_chance(shipped, supported, seed),
        lost_after=fmean(lost for lost, _ in after) if after else None,
        error_after=fmean(error for _, error in after) if after else None,
        error=reliable.ece,
        debiased=reliable.debiased,
    )


def _chance(found: FloatArray, supported: BoolArray, seed: int) -> float:
    """What the best threshold of a bootstrap sample loses, on average, where it is taken to all rows."""
    rng = np.random.default_rng(seed)
    classes = [rows for rows in (np.flatnonzero(supported), np.flatnonzero(~supported)) if len(rows)]
    lost = []
    for _ in range(REPEATS):
        drawn = np.concatenate([rng.choice(rows, len(rows)) for rows in classes])
        best = best_threshold(found[drawn[supported[drawn]]], found[drawn[~supported[drawn]]])
        lost.append(best.balanced_accuracy - _accuracy(found >= best.threshold, supported) if best else 0.0)
    return max(0.0, fmean(lost))


def _draws(supported: BoolArray, seed: int) -> list[BoolArray]:
    """Masks of `LABELS` random rows that hold both classes, at most half of all."""
    if len(supported) < 2 * LABELS:
        return []
    rng = np.random.default_rng(seed)
    drawn = [np.isin(np.arange(len(supported)), rng.permutation(len(supported))[:LABELS]) for _ in range(REPEATS)]
    return [mask for mask in drawn if supported[mask].any() and not supported[mask].all()]


def _after(own: Sample, labelled: BoolArray) -> tuple[float, float]:
    """(balanced accuracy lost, calibration error) on the rest."""
    fitted, rest = own.of(labelled), own.of(~labelled)
    found = rest.probabilities(fitted.curves())
    supported = rest.rows.supported
    lost = _best(found, supported) - _accuracy(found >= fitted.share, supported)
    return lost, reliability(found, supported, rest.weights).ece


def _best(found: FloatArray, supported: BoolArray) -> float:
    best = best_threshold(found[supported], found[~supported])
    return best.balanced_accuracy if best else 0.0


def _accuracy(kept: BoolArray, supported: BoolArray) -> float:
    return float(kept[supported].mean() + (~kept[~supported]).mean()) / 2
