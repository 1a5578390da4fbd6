"""Intervals of a mean over cases that may be clustered, of a proportion, and of a paired difference of proportions.

Knows units and bounds. Knows nothing of pairs.
"""

import numpy as np
from numpy.typing import NDArray

from evals.comparison import Estimate
from evals.scores import FloatArray
from evals.stats.resampling import RESAMPLES, resamples

Interval = tuple[float, float]

_RESAMPLED = 5
"""Fewer units cannot be resampled: too many samples would repeat a single one."""


def of_mean(values: FloatArray, clusters: NDArray[np.int64], support: Interval | None, *, level: float, seed: int) -> Estimate:
    """Of the mean of `values`, shape (cases,); `clusters` are numbered from 0, `support` is where values must lie, if anywhere.

    The wider, on either side, of Student's t (right for heavy tails) and the studentised bootstrap (right for skew): over the shapes
    that scores, costs and latencies have, either alone falls short somewhere, and BCa more often than both. Where most units have
    the very same mean, nothing can be learnt from resampling the few others: two pseudo-units are added, one a typical deviation
    above that mean and one below, as Bonett and Price (2012) do for proportions; where values are bounded, what is typical starts
    from the largest possible deviation. Student's t then has the degrees of freedom of the few that deviate (Satterthwaite, 1946):
    their spread is known no better than that. Where all have the same mean and values are bounded, the bound is that of Clopper and
    Pearson (1934) on the share of units that could differ, each by as much as can be: about 3.7 / units.
    """
    value, units = float(np.mean(values)), int(clusters.max()) + 1
    if units == 1:
        return Estimate(value=value, low=-np.inf, high=np.inf, level=level, method="unknown: one independent unit")
    sizes = np.bincount(clusters).astype(np.float64)
    sums = np.bincount(clusters, values).astype(np.float64)
    deviations = sizes * _from_most_common(sums / sizes)
    if not deviations.any():
        low, high = _all_equal(value, units, support or (value, value), level)
        method = "all units are equal"
    elif 2 * np.count_nonzero(deviations) < units:
        common = value - float(deviations.sum()) / len(values)
        low, high = (common + end for end in _sparse(deviations, sizes, float(support is not None), level))
        method = "Student's t with two pseudo-units (Bonett-Price)"
    elif units < _RESAMPLED:
        low, high = _student(sums, sizes, level)
        method = "Student's t"
    else:
        ends = _student(sums, sizes, level) + _studentised(sums, sizes, level, seed)
        low, high = min(ends), max(ends)
        method = f"wider of Student's t and studentised bootstrap of {RESAMPLES:,} resamples"
    if support:
        low, high = max(low, support[0]), min(high, support[1])
    return Estimate(value=value, low=low, high=high, level=level, method=method)


def of_proportion(values: FloatArray, *, level: float) -> Estimate:
    """Of the share of ones among zeros and ones (Wilson, 1927)."""
    from scipy.stats import binomtest

    ones, n = int(values.sum()), len(values)
    interval = binomtest(ones, n).proportion_ci(level, method="wilson")
    return Estimate(value=ones / n, low=interval.low, high=interval.high, level=level, method="Wilson score")


def of_paired_proportions(gained: int, lost: int, n: int, *, level: float) -> Estimate:
    """Of the difference of two shares over the same `n` cases, `gained` of which went from 0 to 1 and `lost` from 1 to 0 (Tango, 1998)."""
    from scipy.optimize import brentq
    from scipy.special import ndtri

    value, z = (gained - lost) / n, float(ndtri((1 + level) / 2))

    def excess(delta: float, side: float) -> float:
        """How far the observed difference lies beyond `side` standard errors from `delta`, in cases."""
        linear = (2 * n - gained + lost) * delta - gained - lost
        root = np.sqrt(max(linear**2 + 8 * n * lost * delta * (1 - delta), 0.0))
        variance = n * ((root - linear) / (2 * n) + delta * (1 - delta))
        return float(gained - lost - n * delta - side * np.sqrt(max(variance, 0.0)))

    near = 1e-9  # at the value itself its standard error may be 0, which is no end
    low = brentq(excess, -1.0, value - near, args=(z,)) if value > -1 else -1.0
    high = brentq(excess, value + near, 1.0, args=(-z,)) if value < 1 else 1.0
    return Estimate(value=value, low=low, high=high, level=level, method="Tango score")


def _from_most_common(values: FloatArray) -> FloatArray:
    """Each value's deviation from the most common one, exactly 0 where only rounding tells them apart."""
    scale = float(np.abs(values).max()) or 1.0
    _, first, codes, counts = np.unique(np.round(values / scale, 12), return_index=True, return_inverse=True, return_counts=True)
    common = int(counts.argmax())
    return np.where(codes == common, 0.0, values - values[first[common]])


def _all_equal(value: float, units: int, support: Interval, level: float) -> Interval:
    share = 1 - ((1 - level) / 2) ** (1 / units)
    return value + share * (support[0] - value), value + share * (support[1] - value)


def _sparse(deviations: FloatArray, sizes: FloatArray, largest: float, level: float) -> Interval:
    """Of the mean deviation; `largest` is that of one case where it is known, else 0."""
    size, known = float(np.mean(sizes)), float(largest > 0)
    typical = np.sqrt((np.sum(deviations**2) + (largest * size) ** 2) / (np.count_nonzero(deviations) + known))
    padded = np.append(deviations, (typical, -typical))
    freedom = 2 * np.sum(padded**2) ** 2 / np.sum(padded**4)
    return _student(padded, np.append(sizes, (size, size)), level, min(freedom, len(padded) - 1))


def _student(sums: FloatArray, sizes: FloatArray, level: float, freedom: float | None = None) -> Interval:
    """Of the ratio of sums to sizes over independent units, by its linearised standard error."""
    from scipy.special import stdtrit

    units, value = len(sums), float(sums.sum() / sizes.sum())
    error = np.sqrt(units / (units - 1) * np.sum((sums - value * sizes) ** 2)) / sizes.sum()
    half = float(stdtrit(freedom or units - 1, (1 + level) / 2) * error)
    return value - half, value + half


def _studentised(sums: FloatArray, sizes: FloatArray, level: float, seed: int) -> Interval:
    """The same, with quantiles from resampling units instead of Student's (Efron and Tibshirani, 1993, chapter 12)."""
    value = float(sums.sum() / sizes.sum())
    rest = sums - value * sizes
    moments = np.column_stack([rest, sizes, rest**2, rest * sizes, sizes**2])
    total, size, square, cross, weight = np.vstack([drawn @ moments for drawn in resamples(len(sums), seed)]).T
    shift = total / size
    variance = square - 2 * shift * cross + shift**2 * weight
    variance[variance <= 1e-12 * square] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num(shift / (np.sqrt(variance) / size), nan=0.0, posinf=np.inf, neginf=-np.inf)
    lower, upper = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2], method="inverted_cdf")
    error = np.sqrt(np.sum(rest**2)) / sizes.sum()
    return value - float(upper * error), value - float(lower * error)
