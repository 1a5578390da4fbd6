"""Areas and balanced accuracies against values worked by hand, and against other ways to them."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.grounding.discrimination import auroc, balanced_accuracy, best_threshold
from evals.scores import FloatArray

SAMPLES = st.lists(st.integers(0, 6).map(float), min_size=1, max_size=15).map(np.array)
NONE: FloatArray = np.array([])


def of(*values: float) -> FloatArray:
    return np.array(values)


@pytest.mark.parametrize(
    ("supported", "hallucinated", "area"),
    [
        (of(0.8, 0.9), of(0.1, 0.2), 1.0),
        (of(0.1), of(0.9), 0.0),
        (of(0.5, 0.5), of(0.5, 0.5), 0.5),
        (of(0.9, 0.4), of(0.4, 0.1), 0.875),
        (of(0.9, 0.3, 0.6), of(0.5, 0.1), 5 / 6),
    ],
)
def test_auroc_by_hand(supported: FloatArray, hallucinated: FloatArray, area: float) -> None:
    estimate = auroc(supported, hallucinated)
    assert estimate is not None
    assert estimate.value == pytest.approx(area)


@settings(deadline=None)
@given(SAMPLES, SAMPLES)
def test_auroc_is_the_share_of_pairs(supported: FloatArray, hallucinated: FloatArray) -> None:
    pairs = list(itertools.product(supported, hallucinated))
    estimate = auroc(supported, hallucinated)
    assert estimate is not None
    assert estimate.value == pytest.approx(sum((good > bad) + (good == bad) / 2 for good, bad in pairs) / len(pairs))
    assert 0 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1


def test_delong_by_hand() -> None:
    """Placements 1, 1, .5 and 1, .75, .75 ... of 3 and 2: variances by the paper's formulas."""
    estimate = auroc(of(0.9, 0.3, 0.6), of(0.5, 0.1))
    assert estimate is not None
    variance = np.var([1, 0.5, 1], ddof=1) / 3 + np.var([2 / 3, 1], ddof=1) / 2
    half = 1.959964 * np.sqrt(variance) / (5 / 6 * 1 / 6)
    assert estimate.low == pytest.approx(1 / (1 + np.exp(half - np.log(5))), abs=1e-6)
    assert estimate.high == pytest.approx(1 / (1 + np.exp(-half - np.log(5))), abs=1e-6)


def test_the_interval_covers() -> None:
    rng, truth, covered = np.random.default_rng(0), 0.7602, 0
    for _ in range(300):
        estimate = auroc(rng.normal(1, 1, 60), rng.normal(0, 1, 90))
        assert estimate is not None
        covered += estimate.low <= truth <= estimate.high
    assert 0.91 <= covered / 300 <= 0.98


def test_perfect_separation_still_has_a_bound() -> None:
    estimate = auroc(np.linspace(0.6, 1, 30), np.linspace(0, 0.4, 10))
    assert estimate is not None
    assert (estimate.value, estimate.high) == (1, 1)
    assert estimate.low == pytest.approx(0.025**0.1)


@pytest.mark.parametrize(("supported", "hallucinated"), [(NONE, of(0.1)), (of(0.1), NONE), (NONE, NONE)])
def test_one_class_is_not_known(supported: FloatArray, hallucinated: FloatArray) -> None:
    assert auroc(supported, hallucinated) is None
    assert balanced_accuracy(supported, hallucinated, 0.5) is None
    assert best_threshold(supported, hallucinated) is None


def test_balanced_accuracy_by_hand() -> None:
    assert balanced_accuracy(of(0.9, 0.5, 0.2), of(0.1, 0.49, 0.5, 0.8), 0.5) == pytest.approx((2 / 3 + 2 / 4) / 2)


@settings(deadline=None)
@given(SAMPLES, SAMPLES)
def test_no_threshold_is_better_than_the_best(supported: FloatArray, hallucinated: FloatArray) -> None:
    best = best_threshold(supported, hallucinated)
    assert best is not None
    assert best.balanced_accuracy == pytest.approx(balanced_accuracy(supported, hallucinated, best.threshold))
    others = (balanced_accuracy(supported, hallucinated, threshold) for threshold in np.arange(-1, 8, 0.25))
    assert all(other is not None and other <= best.balanced_accuracy + 1e-12 for other in others)
