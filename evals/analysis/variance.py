"""Where the variance of a difference comes from: the cases, what was found for them, the luck of one answer, or the judge's.

Knows paired values of repeats. Knows no verdict.
"""

import numpy as np

from evals.analysis.pairing import case_means
from evals.comparison import VarianceShares
from evals.scores import FloatArray

_FEWEST = 3
"""Cases: two always lie on a line."""
_ROUNDING = 1e-12
"""As a share of the largest value."""


def shares(
    metric: str, a: FloatArray, b: FloatArray, retrieval: FloatArray | None = None, judge: FloatArray | None = None
) -> VarianceShares | None:
    """Split the variance of the mean difference; null where nothing varies or fewer than three cases have both sides.

    One-way random effects, by the method of moments (Searle, Casella and McCulloch, 1992, chapter 3). `a` and `b` have shape
    (cases, repeats), NaN where there is no value. The difference of a case's means, d, has the variance V = cases + generation,
    where generation is the mean over the cases of var(a) / R_a + var(b) / R_b, each var the unbiased one between the repeats
    of a case; it is at most V, and null where no case has two values on both sides. `retrieval` has shape (cases,): by how much
    retrieval differs for each case. It explains the adjusted R² of d on it (Wherry, 1931) of V, at least nothing and at most what
    generation and judge leave. `judge` has shape (cases,): the variance of d that judging again would show; its mean is the judge's
    part of V, and where there are repeats generation is what it leaves of theirs. What remains is the cases' own.
    """
    means = case_means(b) - case_means(a)
    known = ~np.isnan(means)
    if known.sum() < _FEWEST or np.ptp(means[known]) <= _ROUNDING * max(np.nanmax(np.abs(a[known])), np.nanmax(np.abs(b[known]))):
        return None
    total = float(np.var(means[known], ddof=1))
    within = _noise(a[known]) + _noise(b[known])
    again = within[~np.isnan(within)]
    generation = min(1.0, float(again.mean()) / total) if again.size else None
    judged = None if judge is None else min(1.0, float(np.nanmean(judge[known])) / total)
    if generation is not None:
        generation = max(0.0, generation - (judged or 0.0))
    luck = min(1.0, (generation or 0.0) + (judged or 0.0))
    found = None if retrieval is None else _explained(means[known], retrieval[known])
    if found is not None:
        found = min(found, 1 - luck)
    return VarianceShares(metric=metric, cases=1 - luck - (found or 0.0), retrieval=found, generation=generation, judge=judged)


def _noise(values: FloatArray) -> FloatArray:
    """The variance of each case's mean that comes from its repeats; NaN where it has fewer than two."""
    counts = (~np.isnan(values)).sum(axis=1)
    squares = np.nansum((values - case_means(values)[:, None]) ** 2, axis=1)
    noise: FloatArray = np.divide(squares, counts * (counts - 1), out=np.full(len(values), np.nan), where=counts > 1)
    return noise


def _explained(differences: FloatArray, retrieval: FloatArray) -> float | None:
    """The adjusted R² of a straight line; null where retrieval is the same throughout, or known for fewer than three cases."""
    known = ~np.isnan(retrieval)
    y, x, n = differences[known], retrieval[known], int(known.sum())
    if n < _FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    r = float(np.corrcoef(x, y)[0, 1])
    return max(0.0, 1 - (1 - r * r) * (n - 1) / (n - 2))
