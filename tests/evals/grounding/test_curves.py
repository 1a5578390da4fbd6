"""Fitted curves rise, keep off 0 and 1, and come to the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.grounding.curves import folds, isotonic, platt, probabilities
from evals.scores import BoolArray, FloatArray
from rag.validators.calibration import log_odds

GRID = np.linspace(0, 1, 101)


def drawn(n: int, seed: int) -> tuple[FloatArray, BoolArray]:
    rng = np.random.default_rng(seed)
    scores = rng.random(n)
    return scores, rng.random(n) < truth(scores)


def truth(scores: FloatArray) -> FloatArray:
    return 0.1 + 0.8 * (scores > 0.4)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.floats(0.1, 5)), min_size=2, max_size=40))
def test_whatever_the_labels_curves_rise_within_0_and_1(rows: list[tuple[float, bool, float]]) -> None:
    scores, supported, weights = (np.array(column) for column in zip(*rows, strict=True))
    for fit in (platt, isotonic):
        found = probabilities(fit(scores, supported, weights), GRID)
        assert np.all(np.diff(found) >= -1e-9)
        assert np.all((found > 0) & (found < 1))


def test_platt_finds_a_logistic_truth() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random(20_000)
    odds = np.array([1.5 * log_odds(score) - 0.5 for score in scores])
    curve = platt(scores, rng.random(20_000) < 1 / (1 + np.exp(-odds)), np.ones(20_000))
    assert (curve.slope, curve.intercept) == pytest.approx((1.5, -0.5), abs=0.08)


def test_platt_does_not_turn_a_score_around() -> None:
    scores = np.array([0.1, 0.2, 0.8, 0.9])
    curve = platt(scores, scores < 0.5, np.ones(4))
    assert curve.slope == 0
    assert curve.probability(0.5) == pytest.approx(0.5)


def test_weights_count_as_rows_do() -> None:
    scores, supported = drawn(300, 1)
    twice = platt(np.tile(scores, 2), np.tile(supported, 2), np.ones(600))
    weighed = platt(scores, supported, np.full(300, 2.0))
    assert (twice.slope, twice.intercept) == pytest.approx((weighed.slope, weighed.intercept), rel=0.05)


def test_isotonic_follows_a_step_that_platt_cannot() -> None:
    scores, supported = drawn(5_000, 2)
    errors = {
        fit: float(np.mean(np.abs(probabilities(fit(scores, supported, np.ones(5_000)), GRID) - truth(GRID))))
        for fit in (platt, isotonic)
    }
    assert errors[isotonic] < 0.03 < errors[platt]


def test_isotonic_is_nearly_platt_with_few_labels() -> None:
    scores, supported = drawn(20, 3)
    found = [probabilities(fit(scores, supported, np.ones(20)), scores) for fit in (platt, isotonic)]
    assert np.max(np.abs(found[0] - found[1])) < 0.1


def test_folds_part_the_rows_and_keep_both_classes() -> None:
    supported = np.array([True] * 7 + [False] * 33)
    parts = list(folds(supported, 0))
    assert len(parts) == 7
    assert sorted(np.concatenate([held for _, held in parts]).tolist()) == list(range(40))
    for rest, held in parts:
        assert not set(rest) & set(held)
        assert 0 < supported[held].sum() < len(held)
