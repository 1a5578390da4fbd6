"""The shares of the variance are those the numbers were made with."""

import numpy as np
import pytest

from evals.analysis.variance import shares

N, REPEATS = 20_000, 3


def test_the_shares_are_those_of_the_components() -> None:
    """d = cases (4) + retrieval (3²·0.25) + generation ((1 + 2) / 3), in total 7.25."""
    rng = np.random.default_rng(1)
    found = rng.integers(0, 2, N).astype(float)
    d = rng.normal(0, 2, N) + 3 * found
    level = rng.normal(0, 5, N)[:, None]
    a = level + rng.normal(0, 1, (N, REPEATS))
    b = level + d[:, None] + rng.normal(0, np.sqrt(2), (N, REPEATS))
    split = shares("f1", a, b, found)
    assert split is not None
    assert split.generation == pytest.approx(1 / 7.25, abs=0.01)
    assert split.retrieval == pytest.approx(2.25 / 7.25, abs=0.02)
    assert split.cases == pytest.approx(4 / 7.25, abs=0.02)
    assert split.judge is None


def test_one_repeat_cannot_tell_generation() -> None:
    rng = np.random.default_rng(2)
    split = shares("f1", rng.random((50, 1)), rng.random((50, 1)))
    assert split is not None
    assert (split.generation, split.retrieval, split.cases) == (None, None, 1)


def test_noise_alone_leaves_the_cases_nothing() -> None:
    rng = np.random.default_rng(3)
    split = shares("f1", rng.random((N, REPEATS)), rng.random((N, REPEATS)), rng.random(N))
    assert split is not None
    assert split.generation == pytest.approx(1, abs=0.03)
    assert split.cases + (split.generation or 0) + (split.retrieval or 0) == pytest.approx(1)


def test_retrieval_that_is_the_same_explains_nothing_that_could_be_told() -> None:
    rng = np.random.default_rng(4)
    split = shares("f1", rng.random((50, 2)), rng.random((50, 2)), np.zeros(50))
    assert split is not None
    assert split.retrieval is None


def test_repeats_that_are_not_there_are_not_counted() -> None:
    a = np.array([[0.0, 0.0, np.nan], [1.0, 1.0, 1.0], [0.5, np.nan, np.nan], [np.nan] * 3])
    b = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, np.nan], [0.5, 0.5, 0.5], [1.0] * 3])
    split = shares("f1", a, b)
    assert split is not None
    assert (split.generation, split.cases) == (0, 1)


@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_what_does_not_vary_has_no_shares(shift: float) -> None:
    a = np.random.default_rng(5).random((30, 1))
    assert shares("f1", a, a + shift) is None


def test_two_cases_tell_nothing() -> None:
    assert shares("f1", np.array([[0.0], [1.0]]), np.array([[1.0], [0.0]])) is None


def test_a_judge_that_was_asked_twice_has_its_share() -> None:
    """Shares won of two words each: the case's own chance of a win, variance 1/12, and the judge's, 1/12 of a word, so 1/24 of two."""
    rng = np.random.default_rng(5)
    chance = rng.random(N)
    words = chance[:, None] + rng.uniform(-0.5, 0.5, (N, 2))
    won = words.mean(axis=1, keepdims=True)
    noise = (words[:, 0] - words[:, 1]) ** 2 / 4
    split = shares("preferred", 1 - won, won, judge=4 * noise)
    assert split is not None
    assert split.judge == pytest.approx(1 / 3, abs=0.01)
    assert split.cases == pytest.approx(2 / 3, abs=0.01)
    assert split.generation is None
