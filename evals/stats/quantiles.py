"""How far the quantiles of two paired columns lie apart. Knows nothing of what the values measure."""

import math

import numpy as np

from evals.comparison import Estimate
from evals.scores import FloatArray
from evals.stats.paired import Pairs
from evals.stats.resampling import PORTION, RESAMPLES, resamples

NEEDED = {0.5: 2, 0.95: 20, 0.99: 100}
"""The quantiles that are told, with the cases they need: fewer have nothing beyond the quantile."""


def quantile_difference(pairs: Pairs, quantile: float, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """The quantile of B over all cases minus that of A, interpolated as `np.quantile` does; clusters are resampled with both sides.

    Infinite where the units are too few to bound the quantile of one side at all: where even the most extreme of them would miss
    it too often, so fewer than 72 for the 95th percentile and 368 for the 99th at a level of 95 %.
    Raises `ValueError` where the quantile is not between 0 and 1.
    """
    if not 0 < quantile < 1:
        raise ValueError("a quantile lies between 0 and 1")
    value = float(np.quantile(pairs.b, quantile) - np.quantile(pairs.a, quantile))
    if max(quantile, 1 - quantile) ** pairs.units > (1 - level) / 2:
        return Estimate(value=value, low=-np.inf, high=np.inf, level=level, method="unknown: too few cases for this quantile")
    sides = [(np.sort(side), pairs.clusters[np.argsort(side)]) for side in (pairs.a, pairs.b)]
    drawn = [
        [_quantiles(ordered, counts[:, clusters], quantile) for ordered, clusters in sides]
        for portion in resamples(pairs.units, seed)
        for counts in np.array_split(portion, math.ceil(len(portion) * len(pairs.a) / PORTION))
    ]
    a, b = np.concatenate(drawn, axis=1)
    low, high = np.quantile(b - a, [(1 - level) / 2, (1 + level) / 2])
    method = f"percentile bootstrap of {RESAMPLES:,} resamples"
    return Estimate(value=value, low=float(low), high=float(high), level=level, method=method)


def _quantiles(ordered: FloatArray, counts: FloatArray, quantile: float) -> FloatArray:
    """Of each row, that has each of the ordered values as often as `counts`, shape (rows, values), says."""
    reached = np.cumsum(counts, axis=1)
    rank = (reached[:, -1:] - 1) * quantile
    below, above = (ordered[np.argmax(reached > end, axis=1)] for end in (np.floor(rank), np.ceil(rank)))
    return np.asarray(below + (rank % 1)[:, 0] * (above - below))
