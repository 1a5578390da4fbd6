"""How far probabilities keep their word: of what is said to be supported with .8, eight of ten are.

Knows probabilities and outcomes, arrays of shape (n,), and what each row weighs. Knows nothing of how they came about.
"""

import numpy as np

from evals.comparison import Estimate, Measured
from evals.scores import BoolArray, FloatArray

BINS = 10
PER_BIN = 20
"""Fewer in a bin say little of its share."""


class Bin(Measured):
    """Responses of about the same probability."""

    count: int
    probability: float
    """Their mean."""
    supported: float
    """The share that was."""


class Reliability(Measured):
    """The reliability diagram and what it comes to."""

    bins: tuple[Bin, ...]
    ece: float
    """Expected calibration error: the mean distance of a bin's probability from its share. Above 0 by chance alone: where the truth is 0,
    by about .8 * sqrt(bins * p * (1 - p) / n)."""
    debiased: float
    """The root of the mean squared distance less what chance adds to it (Bröcker, 2012; Kumar, Liang and Ma, 2019)."""


def reliability(probabilities: FloatArray, supported: BoolArray, weights: FloatArray) -> Reliability:
    """In `BINS` bins of equal mass (Roelofs and others, 2022), fewer where there are fewer than `PER_BIN` rows each."""
    order = np.argsort(probabilities, kind="stable")
    count = max(1, min(BINS, len(order) // PER_BIN))
    mass = np.cumsum(weights[order])
    parts = np.split(order, np.searchsorted(mass, mass[-1] * np.arange(1, count) / count * (1 + 1e-9), side="right"))
    bins, errors, chance = [], [], []
    for part in parts:
        if len(part):
            said, share = (float(np.average(values[part], weights=weights[part])) for values in (probabilities, supported))
            bins.append(Bin(count=len(part), probability=said, supported=share))
            errors.append(share - said)
            chance.append(share * (1 - share) / max(_effective(weights[part]) - 1, 1))
    masses = [float(weights[part].sum()) for part in parts if len(part)]
    squared = np.average(np.square(errors) - chance, weights=masses)
    ece = float(np.average(np.abs(errors), weights=masses))
    return Reliability(bins=tuple(bins), ece=ece, debiased=float(np.sqrt(max(0.0, squared))))


def separation(
    probabilities: FloatArray, supported: BoolArray, weights: FloatArray, threshold: float, *, level: float = 0.95
) -> Estimate:
    """The balanced accuracy of calling hallucinated what is below the threshold; both classes must be there.

    The interval is that of the mean of two independent shares, each with two rows added (Agresti and Caffo, 2000).
    """
    from scipy.special import ndtri

    right = (probabilities >= threshold) == supported
    shares = np.array([np.average(right[of], weights=weights[of]) for of in (supported, ~supported)])
    sizes = np.array([_effective(weights[of]) for of in (supported, ~supported)])
    adjusted = (shares * sizes + 1) / (sizes + 2)
    half = float(ndtri((1 + level) / 2) * np.sqrt(np.sum(adjusted * (1 - adjusted) / (sizes + 2))) / 2)
    value = float(shares.mean())
    return Estimate(value=value, low=max(0.0, value - half), high=min(1.0, value + half), level=level, method="Agresti-Caffo")


def _effective(weights: FloatArray) -> float:
    """Rows of equal weight that tell as much (Kish, 1965)."""
    return float(weights.sum() ** 2 / np.sum(weights**2))
