"""Differences of quantiles: what they are, and when nothing can be said."""

import math
import tracemalloc

import numpy as np
import pytest

from evals.stats.paired import Pairs
from evals.stats.quantiles import quantile_difference

RNG = np.random.default_rng(3)
A = RNG.lognormal(size=200)


@pytest.mark.parametrize("quantile", [0.25, 0.5, 0.9, 0.95])
def test_the_value_is_the_difference_of_what_numpy_says(quantile: float) -> None:
    b = A * RNG.lognormal(0.2, 0.1, 200)
    estimate = quantile_difference(Pairs.of(A, b), quantile)
    assert estimate.value == np.quantile(b, quantile) - np.quantile(A, quantile)
    assert estimate.low < estimate.value < estimate.high
    assert estimate.method == "percentile bootstrap of 2,000 resamples"


def test_a_shift_of_all_is_a_shift_of_every_quantile() -> None:
    estimate = quantile_difference(Pairs.of(A, A + 1), 0.95)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((1, 1, 1))


def test_pairing_narrows_it() -> None:
    b = A * RNG.lognormal(0, 0.05, 200)
    paired, shuffled = (quantile_difference(Pairs.of(A, side), 0.5) for side in (b, RNG.permutation(b)))
    assert paired.high - paired.low < 0.5 * (shuffled.high - shuffled.low)


def test_whole_clusters_are_resampled() -> None:
    """Each case ten times over tells no more than once."""
    a, b = RNG.lognormal(size=(2, 100))
    once = quantile_difference(Pairs.of(a, b), 0.5)
    tenfold = quantile_difference(Pairs.of(np.repeat(a, 10), np.repeat(b, 10), np.repeat(np.arange(100), 10)), 0.5)
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.15)


def test_a_higher_level_is_wider() -> None:
    pairs = Pairs.of(A, RNG.permutation(A))
    narrow, wide = (quantile_difference(pairs, 0.9, level=level) for level in (0.8, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize(("quantile", "least"), [(0.5, 6), (0.95, 72), (0.05, 72), (0.99, 368)])
def test_too_few_cases_leave_it_unknown(quantile: float, least: int) -> None:
    few, enough = (quantile_difference(Pairs.of(range(n), np.arange(n) + 1.0), quantile) for n in (least - 1, least))
    assert (few.low, few.high) == (-math.inf, math.inf)
    assert few.method == "unknown: too few cases for this quantile"
    assert math.isfinite(enough.low)


@pytest.mark.parametrize("quantile", [0, 1, -1, math.nan])
def test_what_is_no_quantile_is_refused(quantile: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        quantile_difference(Pairs.of(A, A), quantile)


def test_the_same_seed_says_the_same() -> None:
    pairs = Pairs.of(A, RNG.permutation(A))
    assert quantile_difference(pairs, 0.9) == quantile_difference(pairs, 0.9)
    assert quantile_difference(pairs, 0.9) != quantile_difference(pairs, 0.9, seed=1)


def test_thousands_of_cases_take_little_memory() -> None:
    side = RNG.lognormal(size=5_000)
    alone, together = Pairs.of(side, side * 1.1), Pairs.of(side, side * 1.1, np.arange(5_000) % 100)
    tracemalloc.start()
    for pairs in (alone, together):
        quantile_difference(pairs, 0.95)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6
