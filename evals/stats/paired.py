"""Two columns of numbers, one pair a case: their means, their difference with its interval, and whether it is chance.

Knows pairs, clusters and bounds. Knows nothing of metrics, of what a margin means, or of verdicts.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evals.comparison import Estimate
from evals.scores import FloatArray
from evals.stats.intervals import of_mean, of_paired_proportions, of_proportion

FLIPS = 9_999
_ENUMERATED = 14
"""Units whose flips are all tried: 16,384."""


@dataclass(frozen=True)
class Pairs:
    """Both sides' values by case, each the mean over its repeats: arrays of shape (cases,)."""

    a: FloatArray
    b: FloatArray
    clusters: NDArray[np.int64]
    """From 0 to `units` - 1; cases of different clusters are independent."""
    bounded: bool = False
    """Whether values lie within 0 and 1 by their nature, not only here."""

    @classmethod
    def of(cls, a: ArrayLike, b: ArrayLike, clusters: ArrayLike | None = None, *, bounded: bool = False) -> Self:
        """`clusters` are labels of any kind, one a case; without them each case stands for itself.

        Raises `ValueError` where lengths differ, there is no case, or a value is not finite or out of its bounds.
        """
        first, second = _checked(a, bounded), _checked(b, bounded)
        if first.shape != second.shape:
            raise ValueError(f"{len(first)} values of A and {len(second)} of B are no pairs")
        return cls(first, second, _codes(clusters, len(first)), bounded)

    @property
    def differences(self) -> FloatArray:
        """B minus A."""
        return self.b - self.a

    @property
    def units(self) -> int:
        """Independent ones: clusters, or the cases themselves."""
        return int(self.clusters.max()) + 1

    @property
    def proportions(self) -> bool:
        """Whether both sides are shares of independent cases."""
        return self.units == len(self.a) and _binary(self.a) and _binary(self.b)


class Significance(NamedTuple):
    """How often chance alone would show as large a difference, and by which test."""

    p: float
    test: str


def mean(
    values: ArrayLike, clusters: ArrayLike | None = None, *, bounded: bool = False, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Of one side, over its cases; how, see `intervals`. Raises as `Pairs.of` does."""
    checked = _checked(values, bounded)
    codes = _codes(clusters, len(checked))
    if _binary(checked) and len(checked) == codes.max() + 1 > 1 and (bounded or checked.any()):
        return of_proportion(checked, level=level)
    return of_mean(checked, codes, (0.0, 1.0) if bounded else None, level=level, seed=seed)


def difference(pairs: Pairs, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """The mean difference, B minus A; how, see `intervals`."""
    if pairs.proportions and pairs.units > 1 and (pairs.bounded or pairs.a.any() or pairs.b.any()):
        gained, lost = _discordant(pairs)
        return of_paired_proportions(gained, lost, pairs.units, level=level)
    support = (-1.0, 1.0) if pairs.bounded else None
    return of_mean(pairs.differences, pairs.clusters, support, level=level, seed=seed)


def naive_difference(pairs: Pairs, *, level: float = 0.95) -> Estimate:
    """The mean difference as if the two sides had answered different questions: an unpaired z interval, clusters forgotten."""
    from scipy.special import ndtri

    n, value, half = len(pairs.a), float(np.mean(pairs.differences)), np.inf
    if n > 1:
        half = float(ndtri((1 + level) / 2)) * np.sqrt((np.var(pairs.a, ddof=1) + np.var(pairs.b, ddof=1)) / n)
    return Estimate(value=value, low=value - half, high=value + half, level=level, method="unpaired z")


def significance(pairs: Pairs, *, seed: int = 0) -> Significance:
    """Two-sided, of no difference: McNemar's exact test for shares, else the signs of whole clusters' differences are flipped."""
    return _mcnemar(*_discordant(pairs)) if pairs.proportions else _sign_flip(pairs, seed)


def fewest_units(alpha: float) -> int:
    """Independent ones without which no test here finds anything: that all of k differ the same way is chance in 2 of 2^k."""
    return 1 + math.ceil(math.log2(1 / alpha))


def equivalent(pairs: Pairs, margin: float, *, level: float = 0.95, seed: int = 0) -> bool:
    """Whether the difference lies within `margin` either way: two one-sided tests at 1 - `level` (Schuirmann, 1987)."""
    estimate = difference(pairs, level=2 * level - 1, seed=seed)
    return -margin <= estimate.low and estimate.high <= margin


def not_worse(pairs: Pairs, margin: float, *, better: Literal["higher", "lower"], level: float = 0.95, seed: int = 0) -> bool:
    """Whether B is at most `margin` worse: one-sided at (1 - `level`) / 2, so that it says what the two-sided interval shows."""
    estimate = difference(pairs, level=level, seed=seed)
    return estimate.low >= -margin if better == "higher" else estimate.high <= margin


def _checked(values: ArrayLike, bounded: bool) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size:
        raise ValueError("one value a case, and one case or more")
    if not np.isfinite(array).all():
        raise ValueError("a value is not a finite number")
    if bounded and not ((array >= 0) & (array <= 1)).all():
        raise ValueError("a value is not within 0 and 1")
    return array


def _codes(clusters: ArrayLike | None, n: int) -> NDArray[np.int64]:
    if clusters is None:
        return np.arange(n)
    labels = np.asarray(clusters)
    if labels.shape != (n,):
        raise ValueError(f"{n} cases need {n} clusters")
    return np.unique(labels, return_inverse=True)[1]


def _binary(values: FloatArray) -> bool:
    return bool(((values == 0) | (values == 1)).all())


def _discordant(pairs: Pairs) -> tuple[int, int]:
    """How many cases went from 0 to 1, and from 1 to 0."""
    return int((pairs.a < pairs.b).sum()), int((pairs.a > pairs.b).sum())


def _mcnemar(gained: int, lost: int) -> Significance:
    from scipy.stats import binomtest

    p = float(binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0
    return Significance(p, "exact McNemar")


def _sign_flip(pairs: Pairs, seed: int) -> Significance:
    """All flips where few units differ, else `FLIPS` random ones and the observed (Phipson and Smyth, 2010)."""
    sums = np.bincount(pairs.clusters, pairs.differences)
    sums = sums[sums != 0]
    as_large = abs(float(sums.sum())) * (1 - 1e-9)
    if len(sums) <= _ENUMERATED:
        return Significance(float(np.mean(np.abs(_all_flips(sums)) >= as_large)), "exact sign-flip permutation")
    hits = int((np.abs(_random_flips(sums, seed)) >= as_large).sum())
    return Significance((hits + 1) / (FLIPS + 1), f"sign-flip permutation of {FLIPS + 1:,} flips")


def _all_flips(sums: FloatArray) -> FloatArray:
    """The total under every choice of signs."""
    totals = np.zeros(1)
    for value in sums:
        totals = np.concatenate([totals + value, totals - value])
    return totals


def _random_flips(sums: FloatArray, seed: int) -> FloatArray:
    """The total under `FLIPS` random choices of signs: eight at a time, whose 256 totals are worked out once."""
    rng, totals = np.random.default_rng(seed), np.zeros(FLIPS)
    signs = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
    for eight in np.pad(sums, (0, -len(sums) % 8)).reshape(-1, 8):
        totals += (signs @ eight).take(rng.integers(0, 256, FLIPS, dtype=np.uint8))
    return totals
