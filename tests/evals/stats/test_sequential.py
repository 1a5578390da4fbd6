"""Looking after every case never finds more than it should, and finds what is there about as soon as a test that looks once."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.scores import FloatArray
from evals.stats.power import Assumption, cases_needed
from evals.stats.sequential import Excess, Sequential, growth, wealth

RUNS, CASES = 2_000, 500
ALPHA = 0.05

Draw = Callable[[np.random.Generator, tuple[int, int]], FloatArray]


def skewed(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Of mean 0, from -.1 to .9."""
    return np.asarray(rng.beta(0.5, 4.5, shape) - 0.1, dtype=np.float64)


def sparse(rng: np.random.Generator, shape: tuple[int, int], discordance: float = 0.06, effect: float = 0.0) -> FloatArray:
    """Of a binary metric: 1, 0 or -1."""
    drawn = rng.random(shape)
    return np.where(drawn < (discordance + effect) / 2, 1.0, np.where(drawn > 1 - (discordance - effect) / 2, -1.0, 0.0))


def rare_losses(rng: np.random.Generator, shape: tuple[int, int]) -> FloatArray:
    """Of mean 0: a small gain, or once in twenty a large loss."""
    return np.where(rng.random(shape) < 0.05, -0.95, 0.05)


def f1(rng: np.random.Generator, shape: tuple[int, int], effect: float = 0.0) -> FloatArray:
    """Like differences of token F1: a third are 0, the others spread, with a standard deviation of .25 together."""
    spread = np.clip(rng.normal(0, 0.31, shape), -1 + effect, 1 - effect)
    return np.where(rng.random(shape) < 0.35, 0, spread) + effect


def paths(differences: FloatArray, mean: float = 0.0) -> FloatArray:
    """The log of the wealth after every case, of many runs at once: what `Sequential` keeps of one."""
    above, below = np.moveaxis(wealth(growth(differences, mean).cumsum(axis=1)), -1, 0)
    logs: FloatArray = np.logaddexp(above, below) - np.log(2)
    return logs


def upper(hits: int, n: int) -> float:
    """What a share is at most, with 95 % confidence (Clopper & Pearson 1934)."""
    from scipy.stats import beta

    return float(beta.ppf(0.95, hits + 1, n - hits))


def watched(differences: FloatArray) -> Sequential:
    test = Sequential()
    for difference in differences:
        test.observe(difference)
    return test


@pytest.mark.parametrize("mean", [0.0, 0.08])
@pytest.mark.parametrize("draw", [skewed, sparse, rare_losses, f1])
def test_looking_after_every_case_keeps_the_error(draw: Draw, mean: float) -> None:
    """Of the test where the mean is 0, and of all intervals of a stream together: they leave out the mean where its wealth is too large."""
    differences = 0.9 * draw(np.random.default_rng(3), (RUNS, CASES)) + mean
    refuted = (paths(differences, mean) >= -np.log(ALPHA)).any(axis=1)
    assert upper(int(refuted.sum()), RUNS) <= ALPHA


def test_a_repeated_t_test_does_not_keep_it() -> None:
    from scipy.stats import t

    differences = f1(np.random.default_rng(5), (RUNS, CASES))
    n = np.arange(1, CASES + 1)
    means = differences.cumsum(axis=1) / n
    squares = (differences**2).cumsum(axis=1) - n * means**2
    looks = slice(9, None)
    errors = np.sqrt(squares[:, looks] / (n[looks] - 1) / n[looks])
    found = np.abs(means[:, looks]) > t.ppf(1 - ALPHA / 2, n[looks] - 1) * errors
    assert found.any(axis=1).mean() > 0.15
    assert found[:, -1].mean() == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize("effect", [0.05, 0.1])
@pytest.mark.parametrize(
    ("draw", "spread"),
    [
        (f1, Assumption(metric="f1", sd=0.25, source="")),
        (partial(sparse, discordance=0.15), Assumption(metric="exact", sd=0.39, discordance=0.15, source="")),
    ],
)
def test_what_is_there_is_known_about_as_soon_as_a_test_that_looks_once(
    draw: Callable[..., FloatArray], spread: Assumption, effect: float
) -> None:
    fixed = cases_needed(spread, effect)
    refuted = paths(draw(np.random.default_rng(6), (500, 3 * fixed), effect=effect)) >= -np.log(ALPHA)
    first = np.where(refuted.any(axis=1), refuted.argmax(axis=1) + 1, 3 * fixed)
    assert np.median(first) < 1.5 * fixed
    assert refuted.any(axis=1).mean() > 0.95


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60))
def test_one_stream_is_one_path(differences: list[float]) -> None:
    path = paths(np.array([differences]))[0]
    test = watched(np.array(differences))
    assert test.p == pytest.approx(min(1, np.exp(-path.max())), rel=1e-6)
    assert (test.decided is not None) == (path.max() >= -np.log(ALPHA))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.sampled_from([0.8, 0.95, 0.99]))
def test_interval_ends_where_means_are_refuted(differences: list[float], level: float) -> None:
    interval = watched(np.array(differences)).interval(level)
    assert -1 <= interval.low <= interval.value <= interval.high <= 1
    for end in (interval.low, interval.high):
        if abs(end) < 1:
            assert paths(np.array([differences]), end)[0, -1] == pytest.approx(-np.log(1 - level), abs=1e-4)


def test_a_better_and_a_worse_candidate_are_told_apart() -> None:
    differences = f1(np.random.default_rng(7), (1, 300), 0.1)[0]
    assert watched(differences).decided == "better"
    assert watched(-differences).decided == "worse"
    assert watched(-differences).p == pytest.approx(watched(differences).p)


def test_what_was_decided_stays() -> None:
    test = watched(np.concatenate([np.full(30, 0.5), np.full(200, -0.5)]))
    assert test.decided == "better"
    assert test.interval().high < 0


def test_nothing_is_known_of_nothing() -> None:
    test = Sequential()
    assert (test.p, test.decided, test.equivalent(0.1)) == (1.0, None, False)
    with pytest.raises(ValueError, match="before the first"):
        test.interval()


def test_cases_that_do_not_differ_decide_nothing_and_narrow_the_interval() -> None:
    test = watched(np.zeros(200))
    assert (test.p, test.decided) == (1.0, None)
    interval = test.interval()
    assert -0.03 < interval.low < 0 < interval.high < 0.03


def test_equivalence_is_found_within_the_margin_only() -> None:
    rng = np.random.default_rng(8)
    close = f1(rng, (1, 1_500))[0]
    assert watched(close).equivalent(0.05)
    assert not watched(close[:50]).equivalent(0.05)
    assert not watched(close + 0.05 * (np.abs(close) < 0.95)).equivalent(0.05)


def test_equivalence_at_the_margin_is_an_error_of_at_most_alpha() -> None:
    """The mean lies on the margin; the other margin is so far that it never decides."""
    margin = 0.2
    differences = f1(np.random.default_rng(9), (RUNS, CASES), margin)
    below = wealth(growth(differences, margin).cumsum(axis=1))[..., 1]
    assert upper(int((below >= -np.log(ALPHA)).any(axis=1).sum()), RUNS) <= ALPHA


@pytest.mark.parametrize("difference", [float("nan"), float("inf"), 1.01, -2])
def test_what_is_no_difference_is_refused(difference: float) -> None:
    test = Sequential()
    with pytest.raises(ValueError, match="within -1 and 1"):
        test.observe(difference)
    assert test.p == 1


@pytest.mark.parametrize("alpha", [0, 1, -0.1])
def test_alpha_is_a_share(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        Sequential(alpha)


@pytest.mark.parametrize("margin", [0, 1])
def test_a_margin_is_a_share(margin: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        Sequential().equivalent(margin)


@pytest.mark.parametrize("margin", [0.0, 0.2])
@pytest.mark.parametrize("draw", [skewed, sparse, rare_losses, f1])
def test_an_excess_is_found_by_chance_at_most_so_often(draw: Draw, margin: float) -> None:
    """The mean is the margin, the worst that is allowed; also where it drifts within it."""
    drift = 0.1 * np.sin(np.arange(CASES) / 50) - 0.1
    for shift in (0.0, drift):
        differences = np.clip(0.7 * draw(np.random.default_rng(10), (RUNS, CASES)) + margin + shift, -1, 1)
        above = wealth(growth(differences, margin).cumsum(axis=1))[..., 0]
        assert upper(int((above >= -np.log(ALPHA)).any(axis=1).sum()), RUNS) <= ALPHA


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.integers(1, 59), st.sampled_from([0.0, 0.1, 0.5]))
def test_an_excess_is_the_same_in_whatever_portions_it_comes(differences: list[float], cut: int, margin: float) -> None:
    whole, parts = Excess(margin, ALPHA), Excess(margin, ALPHA)
    whole.observe(differences)
    parts.observe(differences[:cut])
    parts.observe(differences[cut:])
    path = wealth(growth(differences, margin).cumsum(axis=0))[:, 0]
    assert whole.p == pytest.approx(parts.p) == pytest.approx(min(1, np.exp(-path.max())))
    assert whole.refuted == parts.refuted == bool(path.max() >= -np.log(ALPHA))


def test_an_excess_beyond_the_margin_is_found_and_stays() -> None:
    test = Excess(0.05, ALPHA)
    test.observe(f1(np.random.default_rng(11), (1, 400), 0.15)[0])
    assert test.refuted
    test.observe(np.full(1_000, -0.5))
    assert test.refuted
    within = Excess(0.25, ALPHA)
    within.observe(f1(np.random.default_rng(11), (1, 400), 0.15)[0])
    assert not within.refuted


@pytest.mark.parametrize("difference", [float("nan"), 1.01])
def test_an_excess_refuses_what_is_no_difference(difference: float) -> None:
    with pytest.raises(ValueError, match="within -1 and 1"):
        Excess(0, ALPHA).observe([0.1, difference])
