"""Monotone curves from scores to probabilities, fitted to labels.

Knows arrays. Knows nothing of claims, sets or what a score means.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from evals.scores import BoolArray, FloatArray
from rag.validators.calibration import SOFTENED, Isotonic, Platt

Curve = Platt | Isotonic
Fitting = Callable[[FloatArray, BoolArray, FloatArray], Curve]
BELIEVED = 400
"""Labels that a Platt curve is worth to an isotonic one: over twelve sets the log loss was lowest so, from 100 labels to all of them."""
FOLDS = 10
RIDGE = 1e-3
"""Keeps the coefficients finite where scores separate the classes, and moves them by less than can be seen elsewhere."""
STEPS = 100


def platt(scores: FloatArray, supported: BoolArray, weights: FloatArray) -> Platt:
    """A logistic curve, with the targets that Platt (1999) corrects for small samples; all arrays of shape (n,).

    A curve that would fall is level instead: a score that says nothing, or the opposite, is not to be turned around.
    """
    coefficients = regression([log_odds(scores)], supported, weights)
    slope, intercept = (float(coefficient) for coefficient in coefficients)
    if slope < 0:
        share = float(np.average(_targets(supported), weights=weights))
        slope, intercept = 0.0, math.log(share / (1 - share))
    return Platt(slope=round(slope, 6), intercept=round(intercept, 6))


def regression(columns: Sequence[FloatArray], supported: BoolArray, weights: FloatArray) -> FloatArray:
    """Logistic regression on columns of shape (n,), with Platt's targets, by Newton's method; the last coefficient is the intercept."""
    target = _targets(supported)
    design = np.column_stack([*columns, np.ones_like(weights)])
    coefficients = np.zeros(design.shape[1])
    for _ in range(STEPS):
        probability = logistic(design @ coefficients)
        gradient = design.T @ (weights * (target - probability)) - RIDGE * coefficients
        curvature = (design.T * (weights * probability * (1 - probability))) @ design + RIDGE * np.eye(len(coefficients))
        step = np.linalg.solve(curvature, gradient)
        coefficients = coefficients + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < 1e-8:
            break
    return coefficients


def isotonic(scores: FloatArray, supported: BoolArray, weights: FloatArray) -> Isotonic:
    """The rising curve of least squares (Zadrozny and Elkan, 2002), drawn to the Platt curve as if that were `BELIEVED` labels more.

    With few labels it is nearly the one, with many the other. Arrays of shape (n,).
    """
    from scipy.optimize import isotonic_regression

    believed = BELIEVED / len(scores)
    target = (supported + believed * probabilities(platt(scores, supported, weights), scores)) / (1 + believed)
    levels, place = np.unique(scores, return_inverse=True)
    weight = np.bincount(place, weights)
    found = isotonic_regression(np.bincount(place, weights * target) / weight, weights=weight)
    ends = np.unique(np.concatenate([found.blocks[:-1], found.blocks[1:] - 1]))
    return Isotonic(scores=tuple(levels[ends].round(6).tolist()), probabilities=tuple(found.x[ends].round(6).tolist()))


def log_odds(scores: FloatArray) -> FloatArray:
    """As `rag.validators.calibration.log_odds`, of an array."""
    bounded = np.clip(scores, 0.0, 1.0)
    odds: FloatArray = np.log((bounded + SOFTENED) / (1 + SOFTENED - bounded))
    return odds


def probabilities(curve: Curve, scores: FloatArray) -> FloatArray:
    """The curve at each of `scores`."""
    if isinstance(curve, Platt):
        return logistic(curve.slope * log_odds(scores) + curve.intercept)
    return np.asarray(np.interp(scores, curve.scores, curve.probabilities), dtype=np.float64)


def folds(supported: BoolArray, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(the rest, a fold) of `FOLDS`, as row numbers, or of as many as the rarer class has members; both classes in each rest."""
    order = np.random.default_rng(seed).permutation(len(supported))
    order = order[np.argsort(supported[order], kind="stable")]
    count = min(FOLDS, int(supported.sum()), int((~supported).sum()))
    for fold in range(count):
        held = np.arange(len(order)) % count == fold
        yield order[~held], order[held]


def _targets(supported: BoolArray) -> FloatArray:
    """(n+ + 1) / (n+ + 2) for the supported, 1 / (n- + 2) for the others; n counts rows, whatever they weigh."""
    positive = int(supported.sum())
    negative = len(supported) - positive
    return np.where(supported, (positive + 1) / (positive + 2), 1 / (negative + 2))


def logistic(odds: FloatArray) -> FloatArray:
    """The probability of each log odds."""
    return np.asarray(0.5 + 0.5 * np.tanh(odds / 2), dtype=np.float64)
