"""What a comparison can find, before it is paid for: the smallest difference, the cases it needs, its dollars and minutes.

Knows how widely paired differences spread and the tests they will meet. Knows nothing of how anything is asked or scored.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evals.comparison import Design
from evals.scorers.base import Metric
from evals.scores import FloatArray
from evals.stats.paired import Pairs, fewest_units
from rag.types import Value

POWER = 0.8
"""How often a difference is to be found that is there."""
ALPHA = 0.05
_SD = 0.35
_DISCORDANCE = 0.2
_ICC = 0.1
_MANY = 100_000
"""Discordant pairs, from where McNemar's test and the t-test agree to three digits."""


class Assumption(Value):
    """How the differences of one metric spread between pairs, each side the mean over its repeats."""

    metric: str
    sd: float
    discordance: float | None = None
    """The share of pairs that differ, where they can only differ by 1 and stand alone: their test is McNemar's."""
    icc: float = 0.0
    """The correlation of two pairs in a cluster."""
    cluster_size: float = 1.0
    """Pairs in a cluster, on average."""
    cluster_variation: float = 0.0
    """The standard deviation of cluster sizes, as a share of their mean."""
    source: str
    """Where it is from, for people: `measured on 40 cases of answer@1 and answer@2`, or `assumed: ...`."""

    @property
    def design_effect(self) -> float:
        """How many times as many pairs clusters make it need (Kish 1965; unequal sizes: Eldridge, Ashby & Kerry 2006)."""
        return max(1.0, 1 + ((1 + self.cluster_variation**2) * self.cluster_size - 1) * self.icc)


class MetricPlan(Value):
    """What can be found on one metric."""

    metric: Metric
    effect: float
    """The wanted one, in the metric's unit."""
    assumption: Assumption | None
    """Null where nothing is known and nothing can be assumed: an unbounded metric without a pilot."""
    detectable: float | None = None
    """The smallest difference that is found with the plan's power; null where none is, with so few."""
    needed: int | None = None
    """Cases, to find `effect` with the plan's power; null where it is 0."""
    power: float | None = None
    """The probability that `effect` is found."""


class Plan(Value):
    """What a comparison of two variants can find, and what it takes."""

    cases: int
    units: int
    """Independent ones: clusters, or the cases themselves."""
    fewest: int
    """Units, without which no test finds anything."""
    repeats: int
    calls: int
    """Of both sides together."""
    alpha: float
    """Of each primary metric: as Holm's correction asks of the first."""
    power: float
    """The wanted one."""
    metrics: tuple[MetricPlan, ...]
    nanodollars: tuple[int, int] | None
    """From, to; null where a price is unknown."""
    seconds: tuple[float, float] | None
    """From, to."""
    timed: bool = True
    """Measured; else assumed."""


def plan(
    metrics: Sequence[Metric],
    design: Design,
    *,
    cases: int,
    repeats: int = 1,
    cluster_sizes: Sequence[int] = (),
    pilot: Mapping[str, Pairs] | None = None,
    source: str = "",
    effect: float | None = None,
    power: float = POWER,
    nanodollars: tuple[float, float] | None = None,
    seconds: tuple[float, float] | None = None,
    timed: bool = True,
    concurrency: int = 1,
) -> Plan:
    """For the primary `metrics` over `cases`, of which `cluster_sizes` share a cluster.

    `pilot` holds pairs by metric, with as many repeats, and `source` says where they are from; other metrics are assumed to
    spread as bounded ones often do. `effect` is the design's margin by default. `nanodollars` and `seconds` are those of one
    call, from and to.
    Raises `ValueError` where there is no case, repeat or call at a time, or no such power.
    """
    if not 0 < power < 1:
        raise ValueError(f"power lies between 0 and 1, and is {power}")
    if min(cases, repeats, concurrency) < 1:
        raise ValueError("a plan has at least one case, one repeat and one call at a time")
    calls = 2 * cases * repeats
    alpha = (1 - design.level) / max(1, len(metrics))
    wanted = design.margin if effect is None else effect
    rounds = calls / min(concurrency, calls)
    units, fewest = len(cluster_sizes) or cases, fewest_units(alpha)
    return Plan(
        cases=cases,
        units=units,
        fewest=fewest,
        repeats=repeats,
        calls=calls,
        alpha=alpha,
        power=power,
        metrics=tuple(
            _metric_plan(metric, _assumption(metric, repeats, cluster_sizes, pilot or {}, source), cases, wanted, power, alpha)
            if units >= fewest
            else MetricPlan(metric=metric, effect=wanted, assumption=None, power=0.0)
            for metric in metrics
        ),
        nanodollars=nanodollars and (round(calls * nanodollars[0]), round(calls * nanodollars[1])),
        seconds=seconds and (rounds * seconds[0], rounds * seconds[1]),
        timed=timed,
    )


def measured(metric: Metric, pairs: Pairs, source: str) -> Assumption | None:
    """What a pilot shows; nothing where it has one pair, or all its differences are the same.

    Where no two values of a bounded metric differ, it is given the discordance that would have shown in 95 % of such pilots.
    """
    differences, n = pairs.differences, len(pairs.differences)
    discordance = float(np.mean(differences != 0))
    if not discordance and metric.bounded:
        discordance = 1 - 0.05 ** (1 / pairs.units)
        sd = math.sqrt(discordance)
        source += f": no two values differ, so that at most {discordance:.0%} of pairs do"
    elif n < 2 or np.ptp(differences) < 1e-12:
        return None
    else:
        sd = float(np.std(differences, ddof=1))
    binary = metric.unit == "binary" and pairs.units == n and bool(np.isin((pairs.a, pairs.b), (0, 1)).all())
    return Assumption(
        metric=metric.name,
        sd=sd,
        discordance=discordance if binary else None,
        icc=intraclass_correlation(differences, pairs.clusters),
        **_shape(np.bincount(pairs.clusters)),
        source=source,
    )


def assumed(metric: Metric, *, repeats: int = 1, cluster_sizes: Sequence[int] = ()) -> Assumption | None:
    """What bounded metrics often show, said as such; nothing for others, whose scale is not known."""
    if not metric.bounded:
        return None
    clustered = max(cluster_sizes, default=1) > 1
    binary = metric.unit == "binary"
    words = f"one pair in {1 / _DISCORDANCE:.0f} differs" if binary else f"differences have a standard deviation of {_SD}"
    if clustered:
        words += f", and correlate by {_ICC} within a cluster"
    return Assumption(
        metric=metric.name,
        sd=math.sqrt(_DISCORDANCE) if binary else _SD,
        discordance=_DISCORDANCE if binary and repeats == 1 and not clustered else None,
        icc=_ICC if clustered else 0.0,
        **_shape(cluster_sizes if clustered else [1]),
        source=f"assumed: {words}",
    )


def intraclass_correlation(values: FloatArray, clusters: NDArray[np.int64]) -> float:
    """Of values in clusters of unequal sizes, at least 0: by one-way analysis of variance (Donner 1986)."""
    sizes = np.bincount(clusters)
    n, k = len(values), len(sizes)
    if k in (1, n):
        return 0.0
    means = np.bincount(clusters, values) / sizes
    between = float(np.sum(sizes * (means - np.mean(values)) ** 2)) / (k - 1)
    within = float(np.sum((values - means[clusters]) ** 2)) / (n - k)
    size = (n - np.sum(sizes**2) / n) / (k - 1)
    total = between + (size - 1) * within
    return max(0.0, (between - within) / total) if total else 0.0


def predicted_power(assumption: Assumption, effect: float, cases: int, *, alpha: float = ALPHA) -> float:
    """The probability that a two-sided test finds a mean difference of `effect` either way, in `cases`.

    Where pairs only differ by 1: exact McNemar, summed over all numbers of discordant pairs, which Connor (1987) approximates.
    Else a paired t-test, with as many degrees of freedom as there are clusters, less one: what a sign-flip test comes to. Either
    finds nothing in so few units that not even all of one sign would be surprising.
    """
    units = cases / assumption.cluster_size
    if 2 * 0.5**units > alpha:
        return 0.0
    if assumption.discordance is not None:
        return _mcnemar_power(assumption.discordance, abs(effect), cases, alpha)
    return _t_power(abs(effect) / (assumption.sd * math.sqrt(assumption.design_effect / cases)), units - 1, alpha)


def cases_needed(assumption: Assumption, effect: float, *, power: float = POWER, alpha: float = ALPHA) -> int:
    """The fewest cases in which `effect` is found with this power. Raises `ValueError` where `effect` is 0: no number is enough."""
    if not effect:
        raise ValueError("no number of cases finds an effect of 0")
    return _first(lambda cases: predicted_power(assumption, effect, cases, alpha=alpha) >= power)


def minimum_detectable_effect(assumption: Assumption, cases: int, *, power: float = POWER, alpha: float = ALPHA) -> float | None:
    """The smallest difference that is found in `cases` with this power; null where there are too few for any."""
    from scipy.optimize import brentq

    def short(effect: float) -> float:
        return predicted_power(assumption, effect, cases, alpha=alpha) - power

    largest = 1.0 if assumption.discordance is not None else 100 * assumption.sd * math.sqrt(assumption.design_effect)
    return float(brentq(short, 0, largest)) if short(largest) >= 0 else None


def _metric_plan(
    metric: Metric, assumption: Assumption | None, cases: int, effect: float, power: float, alpha: float
) -> MetricPlan:
    if assumption is None:
        return MetricPlan(metric=metric, effect=effect, assumption=None)
    return MetricPlan(
        metric=metric,
        effect=effect,
        assumption=assumption,
        detectable=minimum_detectable_effect(assumption, cases, power=power, alpha=alpha),
        needed=max(fewest_units(alpha), cases_needed(assumption, effect, power=power, alpha=alpha)) if effect else None,
        power=predicted_power(assumption, effect, cases, alpha=alpha),
    )


def _assumption(
    metric: Metric, repeats: int, cluster_sizes: Sequence[int], pilot: Mapping[str, Pairs], source: str
) -> Assumption | None:
    pairs = pilot.get(metric.name)
    found = measured(metric, pairs, source) if pairs else None
    if pairs is None or found is None:
        return assumed(metric, repeats=repeats, cluster_sizes=cluster_sizes)
    if max(cluster_sizes, default=1) == 1:
        return found
    found = found.model_copy(update={"discordance": None, **_shape(cluster_sizes)})
    if pairs.units < len(pairs.a) and pairs.differences.any():
        return found
    return found.model_copy(
        update={"icc": _ICC, "source": f"{found.source}, and assumed to correlate by {_ICC} within a cluster"}
    )


def _shape(sizes: ArrayLike) -> dict[str, float]:
    """Of clusters, as fields of an assumption."""
    array = np.asarray(sizes, dtype=np.float64)
    return {"cluster_size": float(array.mean()), "cluster_variation": float(array.std() / array.mean())}


def _t_power(noncentrality: float, freedom: float, alpha: float) -> float:
    """By the noncentral F of the square, which scipy computes where its noncentral t gives up; at exactly 0 it gives up too."""
    from scipy.stats import ncf, t

    return float(ncf.sf(t.isf(alpha / 2, freedom) ** 2, 1, freedom, max(noncentrality**2, 1e-12)))


def _mcnemar_power(discordance: float, effect: float, cases: int, alpha: float) -> float:
    from scipy.stats import binom

    discordance = max(discordance, effect)
    if cases * discordance > _MANY:
        return _t_power(effect / math.sqrt((discordance - effect**2) / cases), cases - 1, alpha)
    low, high = binom.ppf([1e-12, 1 - 1e-12], cases, discordance)
    discordant = np.arange(low, high + 1)
    lost = binom.ppf(alpha / 2, discordant, 0.5)
    lost -= binom.cdf(lost, discordant, 0.5) > alpha / 2
    gain = (discordance + effect) / (2 * discordance)
    found = binom.cdf(lost, discordant, 1 - gain) + binom.cdf(lost, discordant, gain)
    return float(np.sum(binom.pmf(discordant, cases, discordance) * found))


def _first(enough: Callable[[int], bool]) -> int:
    """The smallest number from 1 that is enough, where all larger ones are."""
    high = 1
    while not enough(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
