"""The calibration error of what is known to be calibrated, and of what is known not to be; intervals that hold the truth."""

import numpy as np
import pytest

from evals.grounding.reliability import reliability, separation


def test_half_off_is_an_error_of_a_half() -> None:
    found = reliability(np.full(40, 0.5), np.ones(40, dtype=np.bool_), np.ones(40))
    assert (found.ece, found.debiased) == (0.5, 0.5)
    assert [part.count for part in found.bins] == [20, 20]


def test_what_keeps_its_word_has_no_error_but_chance() -> None:
    rng = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(200):
        said = rng.random(400)
        found = reliability(said, rng.random(400) < said, np.ones(400))
        plain.append(found.ece)
        debiased.append(found.debiased**2)
    chance = 0.8 * np.sqrt(10 * np.mean(said * (1 - said)) / 400)
    assert np.mean(plain) == pytest.approx(chance, rel=0.15)
    assert np.mean(debiased) < np.mean(plain) ** 2 / 2


def test_the_debiased_error_is_near_the_truth() -> None:
    rng = np.random.default_rng(1)
    found = []
    for _ in range(200):
        said = rng.random(400) * 0.8
        found.append(reliability(said, rng.random(400) < said + 0.1, np.ones(400)).debiased)
    assert np.mean(found) == pytest.approx(0.1, abs=0.01)


def test_a_heavy_row_counts_as_many() -> None:
    said, was = np.array([0.2, 0.8]), np.array([True, True])
    assert reliability(said, was, np.array([3.0, 1.0])).ece == pytest.approx(1 - 0.35)


def test_the_interval_of_balanced_accuracy_holds_it() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(400):
        supported = np.arange(100) < 30
        right = rng.random(100) < np.where(supported, 0.9, 0.7)
        found = separation(np.where(right == supported, 1.0, 0.0), supported, np.ones(100), 0.5)
        held += found.low <= 0.8 <= found.high
    assert held / 400 == pytest.approx(0.95, abs=0.03)
