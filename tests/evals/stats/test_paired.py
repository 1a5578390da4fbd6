"""Means, differences and tests of pairs: right where the answer is known, and honest where nothing can be known."""

import itertools
import math
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evals.comparison import Estimate
from evals.scores import FloatArray
from evals.stats.paired import Pairs, difference, equivalent, fewest_units, mean, naive_difference, not_worse, significance

HULL = "wider of Student's t and studentised bootstrap of 2,000 resamples"
SPARSE = "Student's t with two pseudo-units (Bonett-Price)"


def continuous(n: int, effect: float = 0.0, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=n)
    return Pairs.of(shared + 0.3 * rng.normal(size=n), shared + 0.3 * rng.normal(size=n) + effect)


def shares(both: int, gained: int, lost: int, neither: int) -> Pairs:
    a = [1] * both + [0] * gained + [1] * lost + [0] * neither
    b = [1] * both + [1] * gained + [0] * lost + [0] * neither
    return Pairs.of(a, b, bounded=True)


def ends(estimate: Estimate) -> tuple[float, float]:
    return estimate.low, estimate.high


def width(estimate: Estimate) -> float:
    return estimate.high - estimate.low


def test_the_difference_is_b_minus_a() -> None:
    pairs = continuous(100, 0.5)
    assert difference(pairs).value == pytest.approx(np.mean(pairs.b) - np.mean(pairs.a))
    assert difference(pairs).low > 0
    assert difference(Pairs.of(pairs.b, pairs.a)).high < 0


def test_normal_differences_get_about_students_interval() -> None:
    pairs = continuous(200, 0.1)
    known = stats.ttest_rel(pairs.b, pairs.a).confidence_interval()
    assert difference(pairs).method == HULL
    assert ends(difference(pairs)) == pytest.approx((known.low, known.high), abs=0.1 * (known.high - known.low))
    assert difference(pairs).low <= known.low + 1e-12 < known.high <= difference(pairs).high + 1e-12


def test_skew_widens_the_side_of_the_tail() -> None:
    estimate = mean(np.random.default_rng(0).exponential(size=60))
    assert estimate.high - estimate.value > 1.2 * (estimate.value - estimate.low)


def test_pairing_is_what_makes_it_narrow() -> None:
    pairs = continuous(100)
    assert 2 * width(difference(pairs)) < width(naive_difference(pairs))
    assert naive_difference(pairs).value == pytest.approx(difference(pairs).value)


def test_the_naive_interval_is_the_unpaired_z() -> None:
    pairs = continuous(50)
    error = math.sqrt(pairs.a.var(ddof=1) / 50 + pairs.b.var(ddof=1) / 50)
    middle = np.mean(pairs.differences)
    assert ends(naive_difference(pairs)) == pytest.approx((middle - 1.959964 * error, middle + 1.959964 * error))


@pytest.mark.parametrize(
    ("both", "gained", "lost", "neither"),
    [(43, 0, 1, 0), (36, 0, 12, 2), (10, 7, 3, 20), (0, 0, 0, 30), (3, 0, 0, 2), (0, 9, 0, 0), (0, 0, 9, 0), (0, 1, 1, 0)],
)
def test_shares_get_tangos_interval(both: int, gained: int, lost: int, neither: int) -> None:
    """Where the score statistic, in the form of Tango (1998), is at its critical value."""
    estimate, n = difference(shares(both, gained, lost, neither)), both + gained + lost + neither
    assert estimate.method == "Tango score"
    assert estimate.low < estimate.high
    for end in ends(estimate):
        if end in (-1, 1):
            assert estimate.value == end
            continue
        a, b, c = 2 * n, -gained - lost + (2 * n - gained + lost) * end, -lost * end * (1 - end)
        p21 = (math.sqrt(b * b - 4 * a * c) - b) / (2 * a)
        assert abs(gained - lost - n * end) / math.sqrt(n * (2 * p21 + end * (1 - end))) == pytest.approx(1.959964, abs=1e-4)


@pytest.mark.parametrize("n", [5, 30, 200])
def test_no_share_changed_is_not_no_difference(n: int) -> None:
    assert ends(difference(shares(n, 0, 0, 0))) == pytest.approx((-3.8415 / (n + 3.8415), 3.8415 / (n + 3.8415)), abs=1e-4)


def test_one_sides_share_gets_wilsons_interval() -> None:
    estimate = mean([1] * 48 + [0] * 2, bounded=True)
    assert estimate.method == "Wilson score"
    assert (estimate.value, *ends(estimate)) == pytest.approx((0.96, 0.8654, 0.9890), abs=1e-4)


@pytest.mark.parametrize(("gained", "lost", "p"), [(0, 0, 1), (1, 0, 1), (5, 0, 0.0625), (6, 0, 0.03125), (10, 2, 0.038574)])
def test_shares_are_tested_by_mcnemar(gained: int, lost: int, p: float) -> None:
    found = significance(shares(20, gained, lost, 20))
    assert found.test == "exact McNemar"
    assert found.p == pytest.approx(p, abs=1e-6)


@pytest.mark.parametrize("n", [12, 50])
def test_mcnemar_never_finds_what_tangos_interval_does_not(n: int) -> None:
    """The other way round happens: exact tests of shares hold back."""
    for gained in range(n + 1):
        for lost in range(n + 1 - gained):
            pairs = shares(0, gained, lost, n - gained - lost)
            estimate = difference(pairs)
            if significance(pairs).p <= 0.05:
                assert not estimate.low <= 0 <= estimate.high


@pytest.mark.parametrize("alpha", [0.1, 0.05, 0.025, 0.01])
def test_fewer_units_than_so_many_can_show_nothing(alpha: float) -> None:
    fewest = fewest_units(alpha)
    surest = [significance(pairs(units)).p for pairs in (_all_better, _all_right) for units in (fewest - 1, fewest)]
    assert [p <= alpha for p in surest] == [False, True] * 2


def _all_better(units: int) -> Pairs:
    return Pairs.of(np.zeros(3 * units), np.full(3 * units, 0.5), np.repeat(np.arange(units), 3))


def _all_right(units: int) -> Pairs:
    return shares(0, units, 0, 0)


def test_few_units_try_every_flip() -> None:
    differences = np.random.default_rng(1).normal(0.4, 1, 9)
    totals = [abs(sum(flips)) for flips in itertools.product(*((d, -d) for d in differences))]
    found = significance(Pairs.of(np.zeros(9), differences))
    assert found.test == "exact sign-flip permutation"
    assert found.p == np.mean(np.array(totals) >= abs(differences.sum()) - 1e-12)


@pytest.mark.parametrize("n", [15, 40, 333])
def test_many_units_draw_flips(n: int) -> None:
    pairs = continuous(n, 0.6 / math.sqrt(n), seed=n)
    known = stats.permutation_test(
        (pairs.differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(0)
    )
    found = significance(pairs)
    assert found.test == "sign-flip permutation of 10,000 flips"
    assert found.p == pytest.approx(known.pvalue, abs=0.015)
    assert 0.01 < found.p < 0.9


def test_a_p_is_never_zero() -> None:
    assert significance(continuous(100, 10)).p == 0.0001


def test_equal_sides_are_not_significant() -> None:
    assert significance(Pairs.of([0.3] * 50, [0.3] * 50)).p == 1


def test_flips_and_resamples_are_of_whole_clusters() -> None:
    """Each case five times over tells no more than once."""
    pairs = continuous(60, 0.1)
    copies = Pairs.of(np.repeat(pairs.a, 5), np.repeat(pairs.b, 5), np.repeat(np.arange(60), 5))
    assert copies.units == 60
    assert ends(difference(copies)) == pytest.approx(ends(difference(pairs)))
    assert ends(mean(copies.a, copies.clusters)) == pytest.approx(ends(mean(pairs.a)))
    assert significance(copies).p == pytest.approx(significance(pairs).p, abs=1e-9)
    assert width(difference(Pairs.of(copies.a, copies.b))) < 0.6 * width(difference(pairs))


def test_clusters_keep_shares_from_their_own_methods() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 2, (2, 80))
    pairs = Pairs.of(a, b, np.arange(80) // 2, bounded=True)
    assert difference(pairs).method == HULL
    assert significance(pairs).test.startswith("sign-flip")
    assert mean(a, np.arange(80) // 2, bounded=True).method == HULL


def test_cases_weigh_the_same_in_small_and_large_clusters() -> None:
    pairs = Pairs.of(np.zeros(6), [1.0, 2, 3, 4, 5, 9], ["x", "y", "z", "w", "v", "v"])
    assert pairs.units == 5
    assert difference(pairs).value == 4


@pytest.mark.parametrize("labels", [["b", "a", "b", "c"], [7, 3, 7, 9], ["2", "10", "2", "x"]])
def test_labels_of_clusters_are_any(labels: list[str] | list[int]) -> None:
    pairs = Pairs.of([1.0, 2, 3, 4], [1.0, 2, 3, 4], labels)
    assert pairs.units == 3
    assert pairs.clusters[0] == pairs.clusters[2]


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize(
    "pairs", [((0.4,), (0.9,), None), ((0.4, 0.1), (0.9, 0.2), (5, 5)), ((0,), (1,), None), ((1,), (1,), None)]
)
def test_one_unit_tells_nothing(pairs: tuple[tuple[float], tuple[float], tuple[int] | None], bounded: bool) -> None:
    one = Pairs.of(*pairs, bounded=bounded)
    assert significance(one).p == 1
    for estimate in (difference(one), mean(one.a, one.clusters, bounded=bounded)):
        assert ends(estimate) == (-math.inf, math.inf)
        assert estimate.method == "unknown: one independent unit"
    assert not equivalent(one, 100)
    assert not not_worse(one, 100, better="higher")


def test_the_naive_interval_of_one_pair_is_infinite() -> None:
    assert ends(naive_difference(Pairs.of([1.0], [2.0]))) == (-math.inf, math.inf)


@pytest.mark.parametrize("n", [2, 4])
def test_too_few_units_to_resample_get_students_interval(n: int) -> None:
    values = np.arange(n) + 0.5
    known = stats.ttest_1samp(values, 0).confidence_interval()
    assert mean(values).method == "Student's t"
    assert ends(mean(values)) == pytest.approx((known.low, known.high))


def test_five_equal_answers_are_not_equivalence() -> None:
    """Of any bounded metric; the bound is on the share of cases that could differ, and shrinks as cases come."""
    for value in (0.0, 0.4, 1.0):
        few = Pairs.of([value] * 5, [value] * 5, bounded=True)
        assert not equivalent(few, 0.1)
        assert width(difference(few)) > 0.5
    assert equivalent(Pairs.of([0.4] * 400, [0.4] * 400, bounded=True), 0.03)


def test_equal_differences_of_a_bounded_metric_bound_the_share_that_could_differ() -> None:
    estimate = difference(Pairs.of([0.2] * 50, [0.5] * 50, bounded=True))
    share = stats.binomtest(0, 50).proportion_ci(0.95, method="exact").high
    assert ends(estimate) == pytest.approx((0.3 - share * 1.3, 0.3 + share * 0.7))
    assert estimate.method == "all units are equal"


def test_clusters_with_equal_means_are_not_precision() -> None:
    estimate = difference(Pairs.of([0.5] * 20, [0.2, 0.8] * 10, np.arange(20) // 2, bounded=True))
    assert estimate.method == "all units are equal"
    assert width(estimate) > 0.5


def test_rounding_makes_no_difference() -> None:
    a = np.linspace(0, 0.7, 50)
    estimate = difference(Pairs.of(a, a + 0.1, bounded=True))
    assert estimate.method == "all units are equal"
    assert width(estimate) > 0.1


@pytest.mark.parametrize("value", [0.0, 3.5])
def test_equal_differences_of_an_unbounded_metric_are_a_point(value: float) -> None:
    pairs = Pairs.of([0.0] * 20, [value] * 20)
    assert (difference(pairs).value, *ends(difference(pairs))) == (value, value, value)
    assert mean([0.0] * 20).method == "all units are equal"


@pytest.mark.parametrize("clusters", [None, np.arange(60) // 2])
def test_few_that_differ_are_no_sample_to_draw_from(clusters: FloatArray | None) -> None:
    a = np.full(60, 0.5)
    b = a.copy()
    b[:2] = 0.8, 0.7
    bounded, unbounded = (difference(Pairs.of(a, b, clusters, bounded=bounded)) for bounded in (True, False))
    assert bounded.method == unbounded.method == SPARSE
    assert bounded.low < unbounded.low < 0 < bounded.value < unbounded.high < bounded.high


def test_one_small_difference_is_not_taken_for_precision() -> None:
    """As if all were equal, nearly: no cliff between none and one."""
    none, one = Pairs.of([0.5] * 40, [0.5] * 40, bounded=True), Pairs.of([0.5] * 40, [0.5] * 39 + [0.51], bounded=True)
    assert width(difference(one)) > 0.5 * width(difference(none))


def test_the_bonett_price_interval_is_the_known_one_for_shares() -> None:
    """Bonett and Price (2012): one more of either kind, two more cases, and z; here with Student's t of those that differ."""
    gained, lost, n = 6, 2, 60
    pairs = shares(30, gained, lost, 22)
    halves = Pairs.of(pairs.a / 2, pairs.b / 2)
    up, down = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    half = stats.t.ppf(0.975, 2 * (gained + lost + 2)) * math.sqrt((up + down - (up - down) ** 2) / (n + 1))
    assert ends(difference(halves)) == pytest.approx(((up - down - half) / 2, (up - down + half) / 2))


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 0.25, 0.5, 1]), st.sampled_from([0, 0.25, 0.5, 1]), st.integers(0, 6)),
        min_size=1,
        max_size=25,
    ),
    st.booleans(),
)
@settings(deadline=None)
def test_whatever_the_shares_the_interval_holds_the_value_and_keeps_its_bounds(
    cases: list[tuple[float, float, int]], clustered: bool
) -> None:
    a, b, clusters = (np.array(column) for column in zip(*cases, strict=True))
    pairs = Pairs.of(a, b, clusters if clustered else None, bounded=True)
    estimate = difference(pairs)
    assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9
    assert 0 < significance(pairs).p <= 1
    if pairs.units > 1:
        assert estimate.low >= -1
        assert estimate.high <= 1
        assert width(estimate) > 0
        other = difference(Pairs.of(b, a, clusters if clustered else None, bounded=True))
        assert other.value == pytest.approx(-estimate.value)


def test_equivalence_is_the_90_percent_interval_within_the_margin() -> None:
    for pairs in (continuous(140, 0.1), continuous(140, -0.1), shares(60, 8, 6, 26)):
        inner, outer = (max(map(abs, ends(difference(pairs, level=level)))) for level in (0.9, 0.95))
        assert not equivalent(pairs, 0.99 * inner)
        assert equivalent(pairs, (inner + outer) / 2)


def test_not_worse_says_what_the_interval_shows() -> None:
    pairs = continuous(140, -0.1)
    worst = -difference(pairs).low
    assert not_worse(pairs, worst + 1e-9, better="higher")
    assert not not_worse(pairs, worst - 1e-9, better="higher")
    assert not_worse(pairs, 0, better="lower")
    assert not not_worse(Pairs.of(pairs.b, pairs.a), 0.05, better="lower")


@pytest.mark.parametrize("statistic", [difference, naive_difference], ids=lambda one: one.__name__)
@pytest.mark.parametrize("pairs", [continuous(60), shares(20, 8, 3, 9)], ids=["continuous", "shares"])
def test_a_higher_level_is_wider(statistic: Callable[..., Estimate], pairs: Pairs) -> None:
    narrow, wide = (statistic(pairs, level=level) for level in (0.8, 0.99))
    assert (narrow.level, wide.level) == (0.8, 0.99)
    assert wide.low < narrow.low < narrow.high < wide.high


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_what_is_no_number_never_passes(bad: float) -> None:
    for column in ([bad, 0.5], [0.5, bad]):
        with pytest.raises(ValueError, match="not a finite number"):
            Pairs.of(column, [0.5, 0.5])
        with pytest.raises(ValueError, match="not a finite number"):
            Pairs.of([0.5, 0.5], column)
        with pytest.raises(ValueError, match="not a finite number"):
            mean(column)


def test_what_is_no_pairs_is_refused() -> None:
    with pytest.raises(ValueError, match="2 values of A and 3 of B"):
        Pairs.of([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="one case or more"):
        Pairs.of([], [])
    with pytest.raises(ValueError, match="one value a case"):
        mean([[1.0, 2.0], [3.0, 4.0]])
    with pytest.raises(ValueError, match="2 cases need 2 clusters"):
        Pairs.of([1, 2], [1, 2], [1])
    with pytest.raises(ValueError, match="within 0 and 1"):
        Pairs.of([1.5, 0], [1, 0], bounded=True)


def test_the_same_seed_says_the_same() -> None:
    pairs = continuous(60, 0.05)
    assert difference(pairs) == difference(pairs)
    assert significance(pairs) == significance(pairs)
    assert difference(pairs) != difference(pairs, seed=1) or significance(pairs) != significance(pairs, seed=1)


def test_twenty_thousand_cases_take_little_memory() -> None:
    pairs = continuous(20_000)
    tracemalloc.start()
    difference(pairs)
    significance(pairs)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6
