"""What is promised before spending is what simulated comparisons then find."""

import io
import math
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from evals.comparison import Design
from evals.report.plan import plan_table
from evals.scorers.base import Metric
from evals.stats.paired import Pairs, significance
from evals.stats.power import (
    Assumption,
    assumed,
    cases_needed,
    intraclass_correlation,
    measured,
    minimum_detectable_effect,
    plan,
    predicted_power,
)

F1 = Metric(name="f1", label="token F1", better="higher", unit="share")
EXACT = Metric(name="exact", label="exact match", better="higher", unit="binary")
LATENCY = Metric(name="latency", label="latency", better="lower", unit="seconds")

SIMULATED = 1_000
SPREAD = Assumption(metric="f1", sd=0.25, source="")
FLIPS = Assumption(metric="exact", sd=math.sqrt(0.15), discordance=0.15, source="")
CLUSTERED = Assumption(metric="f1", sd=0.25, icc=0.3, cluster_size=4, cluster_variation=0.5, source="")

Draw = Callable[[np.random.Generator, int, float], Pairs]


def continuous(rng: np.random.Generator, cases: int, effect: float) -> Pairs:
    """A third of the differences are 0, as with token F1."""
    differences = np.where(rng.random(cases) < 0.35, 0, rng.normal(0, 0.31, cases))
    return Pairs.of(np.zeros(cases), differences + effect)


def binary(rng: np.random.Generator, cases: int, effect: float, discordance: float = 0.2) -> Pairs:
    drawn = rng.random(cases)
    gained, lost = drawn < (discordance + effect) / 2, drawn > 1 - (discordance - effect) / 2
    either = rng.random(cases) < 0.5
    return Pairs.of((lost | (either & ~gained)) * 1.0, (gained | (either & ~lost)) * 1.0)


def clustered(rng: np.random.Generator, cases: int, effect: float) -> Pairs:
    """One to seven questions a document, which share a third of the variance."""
    clusters = np.repeat(np.arange(cases), rng.integers(1, 8, cases))[:cases]
    differences = rng.normal(0, 0.15, cases)[clusters] + rng.normal(0, 0.21, cases) + effect
    return Pairs.of(np.zeros(cases), differences, clusters)


def repeated(rng: np.random.Generator, cases: int, effect: float) -> Pairs:
    """A binary metric asked three times: cases are easy or hard, for both sides alike."""
    easy = rng.choice([0.1, 0.5, 0.85], cases)
    return Pairs.of(rng.binomial(3, easy) / 3, rng.binomial(3, easy + effect) / 3)


@pytest.mark.parametrize(
    ("draw", "metric", "cases"),
    [(draw, metric, n) for draw, metric in [(continuous, F1), (binary, EXACT), (clustered, F1)] for n in (50, 140, 400)]
    + [(repeated, EXACT, 140)],
)
def test_power_is_as_predicted_from_a_pilot(draw: Draw, metric: Metric, cases: int) -> None:
    rng = np.random.default_rng(11)
    spread = measured(metric, draw(rng, 20_000, 0.0), "a pilot")
    assert spread is not None
    effect = minimum_detectable_effect(spread, cases, power=0.7)
    assert effect is not None
    found = [significance(draw(rng, cases, effect)).p <= 0.05 for _ in range(SIMULATED)]
    assert np.mean(found) == pytest.approx(0.7, abs=0.05)


@pytest.mark.parametrize("spread", [SPREAD, FLIPS, CLUSTERED])
@pytest.mark.parametrize("effect", [0.03, 0.05, -0.1])
def test_cases_needed_are_the_fewest(spread: Assumption, effect: float) -> None:
    needed = cases_needed(spread, effect, power=0.9, alpha=0.01)
    assert predicted_power(spread, effect, needed, alpha=0.01) >= 0.9
    assert predicted_power(spread, effect, needed - 1, alpha=0.01) < 0.9


@pytest.mark.parametrize("spread", [SPREAD, FLIPS, CLUSTERED])
@pytest.mark.parametrize("cases", [50, 140, 2_000])
def test_the_smallest_difference_is_found_with_the_power_asked(spread: Assumption, cases: int) -> None:
    effect = minimum_detectable_effect(spread, cases)
    assert effect is not None
    assert predicted_power(spread, effect, cases) == pytest.approx(0.8, abs=1e-6)
    assert predicted_power(spread, -effect, cases) == pytest.approx(0.8, abs=1e-6)


def test_known_sample_sizes() -> None:
    """The paired t-test as in Cohen (1988), for d = .2 and .5; McNemar as the exact test of Connor's (1987) setting."""
    assert cases_needed(SPREAD, 0.05) == 199
    assert cases_needed(SPREAD, 0.125) == 34
    by_normal = (1.96 * math.sqrt(0.15) + 0.8416 * math.sqrt(0.15 - 0.05**2)) ** 2 / 0.05**2
    assert by_normal < cases_needed(FLIPS, 0.05) < by_normal * 1.1


@pytest.mark.parametrize("spread", [SPREAD, FLIPS])
def test_five_cases_find_nothing(spread: Assumption) -> None:
    assert predicted_power(spread, 0.9, 5) == 0
    assert minimum_detectable_effect(spread, 5) is None
    assert predicted_power(spread, 0.9, 6) > 0


def test_no_number_of_cases_finds_no_effect() -> None:
    with pytest.raises(ValueError, match="an effect of 0"):
        cases_needed(SPREAD, 0)


def test_an_effect_larger_than_the_discordance_makes_pairs_differ() -> None:
    assert 0.99 < predicted_power(FLIPS, 0.5, 50) <= 1


def test_without_an_effect_it_is_found_as_often_as_alpha() -> None:
    assert predicted_power(SPREAD, 0, 100) == pytest.approx(0.05, abs=1e-4)
    assert 0.01 < predicted_power(FLIPS, 0, 100) <= 0.05


def test_clusters_of_one_size_cost_by_kish() -> None:
    even = CLUSTERED.model_copy(update={"cluster_variation": 0.0})
    assert even.design_effect == pytest.approx(1 + 3 * 0.3)
    assert CLUSTERED.design_effect > even.design_effect
    assert SPREAD.design_effect == 1
    assert cases_needed(even, 0.05) == pytest.approx(1.9 * cases_needed(SPREAD, 0.05), rel=0.02)


def test_the_correlation_within_clusters_is_recovered() -> None:
    pairs = clustered(np.random.default_rng(12), 20_000, 0.0)
    assert intraclass_correlation(pairs.differences, pairs.clusters) == pytest.approx(0.15**2 / (0.15**2 + 0.21**2), abs=0.03)
    assert intraclass_correlation(pairs.differences, np.arange(20_000)) == 0


@pytest.mark.parametrize(
    ("pairs", "discordance"),
    [
        (Pairs.of([1, 1, 0, 0], [1, 0, 1, 0]), 0.5),
        (Pairs.of([1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]), None),
        (Pairs.of([1, 1, 0, 0.5], [1, 0, 1, 0]), None),
    ],
)
def test_mcnemar_is_planned_where_it_will_be_the_test(pairs: Pairs, discordance: float | None) -> None:
    found = measured(EXACT, pairs, "4 cases")
    assert found is not None
    assert (found.discordance, found.source) == (discordance, "4 cases")
    assert found.sd == pytest.approx(np.std(pairs.differences, ddof=1))


def test_a_pilot_in_which_nothing_differs_is_not_taken_for_certainty() -> None:
    found = measured(EXACT, Pairs.of([1.0] * 30, [1.0] * 30), "30 cases")
    assert found is not None
    assert found.discordance == pytest.approx(1 - 0.05 ** (1 / 30))
    assert found.source == "30 cases: no two values differ, so that at most 10% of pairs do"
    assert measured(LATENCY, Pairs.of([1.0] * 30, [1.0] * 30), "") is None
    assert measured(F1, Pairs.of([0.2] * 30, [0.3] * 30), "") is None
    assert measured(F1, Pairs.of([0.2], [0.3]), "") is None
    made = plan([F1], Design(primary=("f1",)), cases=30, pilot={"f1": Pairs.of([0.2], [0.3])}, source="1 case")
    assert made.metrics[0].assumption == assumed(F1)


def test_without_a_pilot_what_is_assumed_is_said() -> None:
    first, second = assumed(F1), assumed(EXACT, cluster_sizes=(1, 3))
    assert first is not None
    assert second is not None
    assert first.source == "assumed: differences have a standard deviation of 0.35"
    assert second.source == "assumed: one pair in 5 differs, and correlate by 0.1 within a cluster"
    assert (second.discordance, second.cluster_size) == (None, 2)
    assert assumed(LATENCY) is None


def test_a_plan_counts_calls_money_and_time() -> None:
    made = plan(
        [F1, EXACT],
        Design(primary=("f1", "exact")),
        cases=100,
        repeats=3,
        nanodollars=(1_000_000, 2_000_000),
        seconds=(1.0, 2.0),
        concurrency=50,
    )
    assert made.calls == 600
    assert made.nanodollars == (600_000_000, 1_200_000_000)
    assert made.seconds == (12.0, 24.0)
    assert made.alpha == pytest.approx(0.025)
    first = made.metrics[0]
    assert first.assumption is not None
    assert (first.effect, first.power) == (0.03, predicted_power(first.assumption, 0.03, 100, alpha=made.alpha))
    assert plan([F1], Design(primary=("f1",)), cases=2, concurrency=50, seconds=(1, 1)).seconds == (1.0, 1.0)


def test_a_plan_prefers_a_pilot_and_the_clusters_of_its_own_cases() -> None:
    rng = np.random.default_rng(13)
    design = Design(primary=("f1",), cluster_by="document")
    made = plan(
        [F1], design, cases=80, cluster_sizes=[8] * 10, pilot={"f1": clustered(rng, 200, 0.0)}, source="200 cases", effect=0.1
    )
    spread = made.metrics[0].assumption
    assert spread is not None
    assert (spread.source, spread.cluster_size, spread.cluster_variation) == ("200 cases", 8, 0)
    assert spread.design_effect == pytest.approx(1 + 7 * spread.icc)
    assert spread.icc > 0.1


def test_a_pilot_that_knows_no_clusters_is_not_trusted_about_them() -> None:
    pilot = {"exact": binary(np.random.default_rng(15), 60, 0.0)}
    spread = (
        plan([EXACT], Design(primary=("exact",)), cases=18, cluster_sizes=[1, 3, 5] * 2, pilot=pilot, source="60")
        .metrics[0]
        .assumption
    )
    assert spread is not None
    assert (spread.discordance, spread.icc, spread.cluster_size) == (None, 0.1, 3)
    assert spread.source == "60, and assumed to correlate by 0.1 within a cluster"


@pytest.mark.parametrize("wrong", [{"cases": 0}, {"repeats": 0}, {"concurrency": 0}, {"power": 1}])
def test_a_plan_of_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one case|power lies between"):
        plan([F1], Design(primary=("f1",)), **{"cases": 1, **wrong})  # type: ignore[arg-type]


def test_a_plan_without_a_wanted_effect_says_what_is_detectable() -> None:
    metric = plan([F1], Design(primary=("f1",), margin=0), cases=100).metrics[0]
    assert metric.needed is None
    assert metric.detectable == pytest.approx(0.099, abs=0.001)


def test_mcnemar_and_the_t_test_meet_where_one_takes_over() -> None:
    effect = 0.002
    assert predicted_power(FLIPS, effect, 666_000) == pytest.approx(predicted_power(FLIPS, effect, 667_000), abs=2e-3)


def test_a_plan_reads_well() -> None:
    design = Design(primary=("f1", "exact", "latency"))
    pilot = {"f1": continuous(np.random.default_rng(14), 50, 0)}
    source = "measured on 50 cases of answer@1 and [bold]mine[/red]"
    shown = io.StringIO()
    console = Console(width=200, file=shown)
    priced = plan(
        [F1, EXACT, LATENCY],
        design,
        cases=140,
        pilot=pilot,
        source=source,
        nanodollars=(123_456, 234_567),
        seconds=(1.5, 2.25),
        concurrency=4,
    )
    console.print(plan_table(priced), plan_table(plan([F1], design, cases=4)))
    clusters = plan([F1], Design(primary=("f1",), cluster_by="page"), cases=60, cluster_sizes=[12] * 5)
    assert (clusters.metrics[0].power, clusters.metrics[0].detectable) == (0, None)
    console.print(plan_table(clusters))
    text = shown.getvalue()
    said = " ".join(text.split())
    assert "5 clusters, however many cases they have, can show no difference: it takes 6" in said
    assert "4 cases can show no difference: it takes 6" in said
    assert "280 calls (140 cases x 2 variants): $0.035 to $0.066, 2 min to 3 min" in text
    assert "token F1" in text
    assert f"sd {np.std(pilot['f1'].differences, ddof=1):.3f}, {source}" in text
    assert "one pair in 5 differs" in text
    assert "nothing can be assumed: a pilot would tell" in text
    assert "none " in text
    assert "at an unknown price, an unknown time" in said
