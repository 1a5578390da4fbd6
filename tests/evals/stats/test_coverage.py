"""By simulation: tests err as often as they say, intervals cover as often as they say, and what pairing buys over a naive analysis.

The shipped functions with their shipped numbers of resamples, over 2,000 simulated comparisons a row. The same resamples serve a hundred
comparisons each, since it is their seed that decides them. `python -m tests.evals.stats.test_coverage` prints the table.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import pytest

from evals.analysis.doubts import unseen
from evals.analysis.effects import by_test, effects, measured
from evals.analysis.pairing import Sides
from evals.comparison import Design, Finding
from evals.scorers.base import Metric
from evals.scores import Column, FloatArray
from evals.stats.intervals import of_paired_proportions
from evals.stats.paired import Pairs, difference, equivalent, mean, naive_difference, significance
from evals.stats.quantiles import quantile_difference

F1 = Metric(name="f1", label="token F1", better="higher", unit="share")
SIMULATED = 2_000
Simulation = Callable[[np.random.Generator, int, float], Pairs]
"""Of so many cases, B better than A by an effect; without effect the sides can be exchanged."""


def skewed(rng: np.random.Generator, n: int, effect: float) -> Pairs:
    """Latencies: log-normal, the same question slow on both sides. B takes a share longer."""
    shared = rng.lognormal(0, 0.6, n)
    return Pairs.of(shared * rng.lognormal(0, 0.4, n), shared * rng.lognormal(0, 0.4, n) * (1 + effect))


def heavy(rng: np.random.Generator, n: int, effect: float) -> Pairs:
    """Student's t with three degrees of freedom around what the sides share."""
    shared = 2 * rng.standard_t(3, n)
    return Pairs.of(shared + rng.standard_t(3, n), shared + rng.standard_t(3, n) + effect)


def binary(rng: np.random.Generator, n: int, effect: float) -> Pairs:
    """Right or wrong: the sides differ on a fifth of the cases."""
    both, differ, gained = rng.random(n) < 0.7, rng.random(n) < 0.2, rng.random(n) < 0.5 + 2.5 * effect
    return Pairs.of(np.where(differ, ~gained, both), np.where(differ, gained, both), bounded=True)


def clustered(rng: np.random.Generator, n: int, effect: float) -> Pairs:
    """Questions about 30 to 60 documents, few about most, many about some: intra-class correlation .3 of the sides and of their difference."""
    documents = int(rng.integers(30, 61))
    shares = rng.dirichlet(np.full(documents, 2.0))
    clusters = np.concatenate([np.arange(documents), rng.choice(documents, max(n - documents, 0), p=shares)])
    a, b = (np.sqrt(0.3) * rng.normal(size=documents)[clusters] + np.sqrt(0.7) * rng.normal(size=len(clusters)) for _ in "ab")
    return Pairs.of(a, b + effect, clusters)


def repeated(rng: np.random.Generator, n: int, effect: float) -> Pairs:
    """Right or wrong, three times a case."""
    ease = 1.5 * rng.normal(size=n)
    a, b = (rng.binomial(3, 1 / (1 + np.exp(-ease - shift))) / 3 for shift in (0, effect))
    return Pairs.of(a, b, bounded=True)


def _shift_of_logistic(effect: float) -> float:
    """What `repeated` moves the mean by."""
    ease, weights = np.polynomial.hermite_e.hermegauss(101)
    shares = [1 / (1 + np.exp(-1.5 * ease - shift)) for shift in (0, effect)]
    return float((shares[1] - shares[0]) @ weights / weights.sum())


EFFECTS: dict[Simulation, float] = {skewed: 0.12, heavy: 0.4, binary: 0.12, clustered: 0.3, repeated: 0.35}
TRUE: dict[Simulation, float] = EFFECTS | {skewed: 0.12 * float(np.exp(0.26)), repeated: _shift_of_logistic(0.35)}
"""The mean difference that the effect makes."""
SIZES = (50, 140, 400)


class Row(NamedTuple):
    """Shares of simulated comparisons, of a prompt with itself and of two that differ."""

    false_positives: float
    naive_false_positives: float
    coverage: float
    naive_coverage: float
    naive_width: float
    """Median, as a multiple of the paired one's."""


@cache
def row(simulation: Simulation, n: int) -> Row:
    rng, rows = np.random.default_rng([n, list(EFFECTS).index(simulation)]), []
    for number in range(SIMULATED):
        seed = number // 100
        same, other = simulation(rng, n, 0.0), simulation(rng, n, EFFECTS[simulation])
        nothing, estimate, naive = naive_difference(same), difference(other, seed=seed), naive_difference(other)
        rows.append(
            (
                significance(same, seed=seed).p <= 0.05,
                not nothing.low <= 0 <= nothing.high,
                estimate.low <= TRUE[simulation] <= estimate.high,
                naive.low <= TRUE[simulation] <= naive.high,
                (naive.high - naive.low) / (estimate.high - estimate.low),
            )
        )
    *shares, widths = np.array(rows, dtype=np.float64).T
    return Row._make([*(float(np.mean(share)) for share in shares), float(np.median(widths))])


class Power(NamedTuple):
    """Shares of simulated comparisons of two prompts that differ."""

    paired: float
    naive: float
    contradictions: float
    """The interval leaves out 0 and p is above .05, or the other way round."""


@cache
def power(simulation: Simulation, n: int) -> Power:
    rng, rows = np.random.default_rng([n, list(EFFECTS).index(simulation), 1]), []
    for number in range(SIMULATED):
        pairs = simulation(rng, n, EFFECTS[simulation])
        estimate, naive = difference(pairs, seed=number // 100), naive_difference(pairs)
        found = significance(pairs, seed=number // 100).p <= 0.05
        rows.append((found, not naive.low <= 0 <= naive.high, found == (estimate.low <= 0 <= estimate.high)))
    return Power(*(float(np.mean(share)) for share in zip(*rows, strict=True)))


every = pytest.mark.parametrize("simulation", EFFECTS, ids=lambda simulation: simulation.__name__)
sized = pytest.mark.parametrize("n", SIZES)


@every
@sized
def test_a_prompt_against_itself_is_different_in_5_of_100(simulation: Simulation, n: int) -> None:
    lowest = 0 if simulation in (binary, repeated) else 0.039  # exact tests of few distinct values promise the upper end only
    assert lowest <= row(simulation, n).false_positives <= 0.061


@every
@sized
def test_intervals_cover(simulation: Simulation, n: int) -> None:
    assert 0.935 <= row(simulation, n).coverage <= 0.965


@every
def test_interval_and_p_say_the_same(simulation: Simulation) -> None:
    assert power(simulation, 140).contradictions <= 0.06


@every
def test_what_pairing_buys(simulation: Simulation) -> None:
    errors, found = row(simulation, 140), power(simulation, 140)
    if simulation is clustered:  # here naive intervals are narrower, and wrong
        assert errors.naive_false_positives > 0.1
        assert errors.naive_coverage < 0.9
    else:
        assert errors.naive_width > 1.3
        assert found.paired > found.naive + 0.2
        assert errors.naive_false_positives < 0.02


@pytest.mark.parametrize("n", [50, 140])
@pytest.mark.parametrize(("gained", "lost"), [(0.04, 0.02), (0.05, 0.05), (0.1, 0.05), (0.2, 0.1), (0.3, 0.05), (0.4, 0.4)])
def test_a_difference_of_shares_is_covered_counting_every_outcome(n: int, gained: float, lost: float) -> None:
    from scipy.stats import multinomial

    outcomes = np.array([(up, down, n - up - down) for up in range(n + 1) for down in range(n + 1 - up)])
    chances = multinomial.pmf(outcomes, n, [gained, lost, 1 - gained - lost])
    likely = chances > 1e-6
    ends = [of_paired_proportions(int(up), int(down), n, level=0.95) for up, down, _ in outcomes[likely]]
    covered = np.array([end.low <= gained - lost <= end.high for end in ends])
    few = n * min(gained, lost) < 2
    assert 0.935 <= chances[likely] @ covered <= (0.975 if few else 0.965)


def rarely_much(rng: np.random.Generator, n: int) -> Pairs:
    """No difference on the whole, and no symmetry: 95 % of the cases lose about .05, and 5 % gain .95."""
    gains = rng.random(n) < 0.05
    losses = 0.05 * rng.uniform(0.5, 1.5, n)
    a = np.where(gains, 0.02, rng.uniform(0.5, 0.8, n))
    return Pairs.of(a, np.clip(np.where(gains, a + 0.95, a - losses), 0, 1), bounded=True)


@cache
def called_different(n: int) -> tuple[float, float]:
    """Of simulated comparisons without a difference on the whole: by the test alone, and by test and interval together."""
    rng, alone, both, simulated, design = np.random.default_rng(n), 0, 0, 1_000, Design(primary=("f1",))
    for number in range(simulated):
        pairs, seeded = rarely_much(rng, n), design.model_copy(update={"seed": number // 100})
        p = significance(pairs, seed=seeded.seed).p
        alone += p <= 0.05
        both += by_test(F1, pairs, p, seeded) is not Finding.UNKNOWN
    return alone / simulated, both / simulated


@pytest.mark.parametrize(("n", "most"), [(80, 0.05), (140, 0.061), (300, 0.061)])
def test_a_finding_where_nothing_is_symmetric_errs_as_often_as_it_says(n: int, most: float) -> None:
    assert called_different(n)[1] <= most


def test_flipped_signs_alone_would_not() -> None:
    assert called_different(60)[0] > 0.15
    assert called_different(60)[1] < 0.1


def test_what_is_too_rare_to_be_seen_is_in_no_interval() -> None:
    """Where none of the rare cases is drawn, all others lose: what remains is to say that so few cases cannot show it."""
    rng, wrong, warned, simulated = np.random.default_rng(20), 0, 0, 400
    for _ in range(simulated):
        pairs = rarely_much(rng, 20)
        column = [Column(values[:, None], np.zeros((20, 1), dtype=bool)) for values in (pairs.a, pairs.b)]
        one = measured(Sides(F1, *column), None)
        assert one is not None
        found = effects([one], Design(primary=("f1",)), {})
        wrong += found[0].finding is not Finding.UNKNOWN
        warned += any("not be among these 20" in told for told in unseen(found, {"f1": one}))
    assert 0.3 < wrong / simulated < 0.45
    assert warned == wrong


@pytest.mark.parametrize("n", [120, 140, 160, 200])
def test_few_that_lose_are_equivalent_no_more_often_than_said(n: int) -> None:
    """6 % of the cases lose half, which is just the margin."""
    rng, found, simulated = np.random.default_rng(n), 0, 1_000
    for _ in range(simulated):
        found += equivalent(Pairs.of(np.ones(n), np.where(rng.random(n) < 0.06, 0.5, 1.0), bounded=True), 0.03)
    assert found / simulated <= 0.061


def shares_mostly_equal(rng: np.random.Generator, n: int) -> tuple[FloatArray, float]:
    """F1 of a copy: one case in ten misses something."""
    return np.where(rng.random(n) < 0.1, rng.choice([0.0, 0.5, 2 / 3], n), 1.0), 1 - 0.1 * (1 + 0.5 + 1 / 3) / 3


def costs(rng: np.random.Generator, n: int) -> tuple[FloatArray, float]:
    """Exponential: mostly cheap."""
    return rng.exponential(size=n), 1.0


@pytest.mark.parametrize(("values", "bounded"), [(shares_mostly_equal, True), (costs, False)])
@pytest.mark.parametrize("n", [50, 140])
def test_intervals_of_one_side_cover(
    values: Callable[[np.random.Generator, int], tuple[FloatArray, float]], bounded: bool, n: int
) -> None:
    rng, covered = np.random.default_rng(n), 0
    for number in range(SIMULATED):
        drawn, true = values(rng, n)
        estimate = mean(drawn, bounded=bounded, seed=number // 100)
        covered += estimate.low <= true <= estimate.high
    few = bounded and n == 50  # five cases miss something: the freedom of so few is for the worst of what they could be
    assert 0.935 <= covered / SIMULATED <= (0.995 if few else 0.965)


@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_intervals_of_a_difference_of_quantiles_cover(quantile: float) -> None:
    """At least as often as they say: resampled quantiles step from value to value, which makes them wide."""
    many = skewed(np.random.default_rng(1), 1_000_000, 0.12)
    true = float(np.quantile(many.b, quantile) - np.quantile(many.a, quantile))
    rng, covered, simulated = np.random.default_rng(2), 0, 500
    for number in range(simulated):
        estimate = quantile_difference(skewed(rng, 100, 0.12), quantile, seed=number // 100)
        covered += estimate.low <= true <= estimate.high
    assert covered / simulated >= 0.935


if __name__ == "__main__":
    titles = "data | cases | A/A positives | naive | coverage | naive | naive width | power | naive | p against interval"
    print(f"| {titles} |\n|{' --- |' * 10}")
    for simulation in EFFECTS:
        for n in SIZES:
            *shares, wider = row(simulation, n)
            found = power(simulation, n)
            cells = (
                [f"{100 * share:.1f} %" for share in shares] + [f"{wider:.2f} x"] + [f"{100 * share:.1f} %" for share in found]
            )
            print(f"| {simulation.__name__} | {n} | {' | '.join(cells)} |", flush=True)
