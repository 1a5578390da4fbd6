"""What is found for each metric of two paired runs, by its role: better, worse, equivalent, held, or not known yet.

Knows tests, margins and what missing values could change. Knows nothing of what the findings amount to together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np

from evals.analysis.growth import to_decide, to_tell_from
from evals.analysis.pairing import IntArray, Sides, case_means, missing_share
from evals.comparison import Design, Effect, Estimate, Finding, Guardrail, Role
from evals.scorers.base import Metric
from evals.scores import BoolArray, Column, FloatArray
from evals.stats.multiplicity import benjamini_hochberg, holm
from evals.stats.paired import Pairs, Significance, difference, equivalent, mean, naive_difference, not_worse, significance
from evals.stats.sequential import Sequential

TOO_MANY_MISSING = 0.10
"""Of the values of one side: beyond that, what is not known may well be unlike what is."""


@dataclass(frozen=True)
class Measured:
    """One metric of both runs: its pairs, and what the pairs would be at the two extremes of what is not known of it."""

    metric: Metric
    a: Column
    b: Column
    pairs: Pairs
    extremes: tuple[Pairs, ...]
    """As low, and as high, as B minus A can be; empty where both sides have it of every case, or the metric has no bounds."""
    alone: int = 0
    """Cases that have it on one side only, and to which it does not apply on the other."""
    words: tuple[Pairs, ...] = ()
    """As low, and as high, as B minus A is by either word of a judge that said two things; empty where none did."""
    torn: int = 0
    """Cases of which a judge said two things."""

    @property
    def missing_share(self) -> float:
        """Of the side that misses more."""
        return max(missing_share(self.a), missing_share(self.b))

    @property
    def nothing_to_lose(self) -> bool:
        """Whether A has none of what is good, so that B cannot have less."""
        return self.metric.better == "higher" and not self.pairs.a.any()

    @property
    def lacking(self) -> str | None:
        """Why nothing is known of it: so many values are missing of what has no bounds, and may be anything."""
        if self.metric.bounded or self.missing_share <= TOO_MANY_MISSING:
            return None
        reasons = (self.a.reasons + self.b.reasons).most_common(1)
        return reasons[0][0] if reasons else "its values are missing"


def measured(sides: Sides, clusters: IntArray | None) -> Measured | None:
    """The pairs of the cases that have the metric on both sides; null where fewer than two are independent."""
    metric, a, b = sides
    in_a, in_b, alone = case_means(a.values), case_means(b.values), sides.alone
    pairs = paired(metric, in_a, in_b, clusters)
    if pairs is None:
        return None
    unknown = a.missing.any() or b.missing.any() or alone.any()
    bounds = [(1.0, 0.0), (0.0, 1.0)] if metric.bounded and unknown else []
    extremes = [paired(metric, _filled(a, of_a, alone), _filled(b, of_b, alone), clusters) for of_a, of_b in bounds]
    apart_a, apart_b = _apart(a), _apart(b)
    torn = int(np.count_nonzero(apart_a + apart_b))
    ends = [paired(metric, in_a - way * apart_a, in_b + way * apart_b, clusters) for way in (-1, 1)] if torn else []
    return Measured(
        metric,
        a,
        b,
        pairs,
        tuple(pairs for pairs in extremes if pairs is not None),
        int(alone.sum()),
        tuple(pairs for pairs in ends if pairs is not None),
        torn,
    )


def paired(metric: Metric, a: FloatArray, b: FloatArray, clusters: IntArray | None) -> Pairs | None:
    """Of values by case, those that are there on both sides; null where fewer than two are independent."""
    known = ~np.isnan(a) & ~np.isnan(b)
    if not known.any():
        return None
    pairs = Pairs.of(a[known], b[known], None if clusters is None else clusters[known], bounded=metric.bounded)
    return pairs if pairs.units > 1 else None


def effects(metrics: Sequence[Measured], design: Design, watched: Mapping[str, Sequential], looks: int = 1) -> tuple[Effect, ...]:
    """B against A on every metric: primary ones first, then guardrails, then the others, each in the order given.

    A primary metric is better or worse by its p-value, adjusted by Holm over the primary ones, and its interval, else equivalent
    where its difference lies within the margin. A guardrail is held where the interval ends before the margin; it is worse where an
    interval, widened by Bonferroni over the guardrails, begins beyond it: so a comparison of equals is found different, on any
    metric that decides, no more often than 1 - `level`. Other metrics are found by their own p-value, and decide nothing.
    A finding that some value of the missing ones would change is not known yet, nor is one that some value would change of those
    that only one side can have: who refuses the hard questions is not better at the others. Where a judge said two things of a case,
    either may be so: what lies between them is no finding of a tie, and equivalent only if both extremes are.

    A primary metric that was `watched`, case by case, is found by what holds however often one looks. Guardrails were looked at
    so many times as `looks` says, at numbers of cases that were set beforehand: each look has its part of the error (Bonferroni).
    """
    guardrails = {guardrail.metric: guardrail for guardrail in design.guardrails if guardrail.metric not in design.primary}
    tested = {one.metric.name: significance(one.pairs, seed=design.seed) for one in metrics}
    tested |= {
        name: Significance(test.p, "betting, looked at after every case") for name, test in watched.items() if name in tested
    }
    primary = {name: tested[name].p for name in design.primary if name in tested}
    adjusted = dict(zip(primary, holm(list(primary.values())), strict=True))

    strict = design.model_copy(update={"level": 1 - (1 - design.level) / looks})
    found: dict[Role, list[Effect]] = {role: [] for role in Role}
    for one in metrics:
        name, test = one.metric.name, tested[one.metric.name]
        if name in primary and name in watched:
            found[Role.PRIMARY].append(_watched(one, test, watched[name], adjusted[name], design))
        elif name in primary:
            found[Role.PRIMARY].append(_primary(one, test, primary, adjusted[name], design))
        elif name in guardrails:
            found[Role.GUARDRAIL].append(_guardrail(one, test, guardrails[name], len(guardrails), strict))
        else:
            found[Role.OTHER].append(_other(one, test, design))
    found[Role.OTHER] = _discovered(found[Role.OTHER])
    return tuple(effect for role in Role for effect in found[role])


def _discovered(others: Sequence[Effect]) -> list[Effect]:
    """With their q values; what nothing is known of was not tested."""
    tested = [effect for effect in others if not effect.lacking]
    qs = dict(zip((effect.metric.name for effect in tested), benjamini_hochberg([effect.p for effect in tested]), strict=True))
    return [effect.model_copy(update={"q": qs.get(effect.metric.name)}) for effect in others]


def average(
    metric: Metric, values: FloatArray, clusters: IntArray | None = None, *, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Of one side: its interval does not go below 0, where no score, time, price or count can be."""
    estimate = mean(values, clusters, bounded=metric.bounded, level=level, seed=seed)
    return estimate.model_copy(update={"low": max(0.0, estimate.low)})


def gain(metric: Metric, difference: float) -> float:
    """The difference as seen from what is good: positive where B does better."""
    return difference if metric.better == "higher" else -difference


def _primary(one: Measured, test: Significance, family: Mapping[str, float], adjusted: float, design: Design) -> Effect:
    def judge(pairs: Pairs, p: float) -> Finding:
        again = holm([p if name == one.metric.name else other for name, other in family.items()])
        return by_test(one.metric, pairs, again[list(family).index(one.metric.name)], design, design.margin)

    finding = _certain(one, test, judge, design)
    effect = _effect(one, Role.PRIMARY, test, finding, design.margin, design)
    needed = _decided(one, design, len(family)) if finding is Finding.UNKNOWN else None
    return effect.model_copy(update={"p_adjusted": adjusted, "needed": needed})


def _decided(one: Measured, design: Design, primaries: int) -> int | None:
    alpha = (1 - design.level) / primaries
    return to_decide(one.metric, one.pairs, design.margin, level=design.level, alpha=alpha)


def _watched(one: Measured, test: Significance, watch: Sequential, adjusted: float, design: Design) -> Effect:
    """As `_primary`, with the interval and the margin's test of the sequence, which sees a question once.

    A direction that missing values could turn is not known, nor is one that the mean over all cases does not share.
    """
    estimate = watch.interval(design.level) if watch.observed else None
    means = [float(np.mean(pairs.differences)) for pairs in (one.pairs, *one.extremes)]
    ways = {np.sign(gain(one.metric, mean)) for mean in (*means, estimate.value if estimate else 0.0)}
    if adjusted <= 1 - design.level and ways in ({1.0}, {-1.0}):
        finding = Finding.BETTER if ways == {1.0} else Finding.WORSE
    elif watch.equivalent(design.margin) and not (one.extremes or one.words):
        finding = Finding.EQUIVALENT
    else:
        finding = Finding.UNKNOWN
    effect = _effect(one, Role.PRIMARY, test, finding, design.margin, design)
    needed = _decided(one, design, len(design.primary)) if finding is Finding.UNKNOWN else None
    return effect.model_copy(update={"p_adjusted": adjusted, "difference": estimate or effect.difference, "needed": needed})


def _guardrail(one: Measured, test: Significance, guardrail: Guardrail, guardrails: int, design: Design) -> Effect:
    """A relative margin moves with A's mean, so it is tested as the difference of the two, one of them scaled down by it."""
    metric = one.metric

    def judge(pairs: Pairs, p: float) -> Finding:
        margin = guardrail.margin
        if guardrail.relative:
            pairs, margin = _scaled(pairs, metric, margin), 0.0
        if not_worse(pairs, margin, better=metric.better, level=design.level, seed=design.seed):
            return Finding.HELD
        estimate = difference(pairs, level=1 - (1 - design.level) / guardrails, seed=design.seed)
        beyond = estimate.low > margin if metric.better == "lower" else estimate.high < -margin
        return Finding.WORSE if beyond else Finding.UNKNOWN

    finding = _certain(one, test, judge, design)
    margin = guardrail.margin * (abs(float(np.mean(one.pairs.a))) if guardrail.relative else 1)
    effect = _effect(one, Role.GUARDRAIL, test, finding, margin, design)
    if effect.lacking:
        return effect
    pairs, edge = one.pairs, margin if metric.better == "lower" else -margin
    if guardrail.relative:
        pairs, edge = _scaled(pairs, metric, guardrail.margin), 0.0
    if finding is not Finding.UNKNOWN:
        return effect
    return effect.model_copy(update={"needed": to_tell_from(metric, pairs, edge, alpha=1 - design.level)})


def _other(one: Measured, test: Significance, design: Design) -> Effect:
    margin = design.margin if one.metric.bounded else None

    def judge(pairs: Pairs, p: float) -> Finding:
        return by_test(one.metric, pairs, p, design, margin)

    return _effect(one, Role.OTHER, test, _certain(one, test, judge, design), margin, design)


def by_test(metric: Metric, pairs: Pairs, p: float, design: Design, margin: float | None = None) -> Finding:
    """Better or worse by the p-value and the interval together, else equivalent where there is a margin and the difference lies
    within it.

    Flipped signs take differences for symmetric where nothing differs: where most cases lose a little and few gain much, a p-value
    alone calls equals different up to four times as often as it says.
    """
    estimate = difference(pairs, level=design.level, seed=design.seed)
    if p <= 1 - design.level and not estimate.low <= 0 <= estimate.high:
        return Finding.BETTER if gain(metric, float(np.mean(pairs.differences))) > 0 else Finding.WORSE
    if margin is not None and equivalent(pairs, margin, level=design.level, seed=design.seed):
        return Finding.EQUIVALENT
    return Finding.UNKNOWN


def _certain(one: Measured, test: Significance, judge: Callable[[Pairs, float], Finding], design: Design) -> Finding:
    """What is found whatever the values are that are not known."""
    if one.lacking:
        return Finding.UNKNOWN
    finding = judge(one.pairs, test.p)
    doubtful = (*one.extremes, *(one.words if finding is Finding.EQUIVALENT else ()))
    extreme = (judge(pairs, significance(pairs, seed=design.seed).p) for pairs in doubtful)
    return finding if all(other is finding for other in extreme) else Finding.UNKNOWN


def _effect(one: Measured, role: Role, test: Significance, finding: Finding, margin: float | None, design: Design) -> Effect:
    pairs = one.pairs
    low_high = [float(np.mean(extreme.differences)) for extreme in one.extremes or one.words]
    unknown = Estimate(value=nan, low=-inf, high=inf, level=design.level, method="too many values are missing")
    numbers: dict[str, Any] = (
        {"a": unknown, "b": unknown, "difference": unknown, "p": nan, "margin": None}
        if one.lacking
        else {
            "a": average(one.metric, pairs.a, pairs.clusters, level=design.level, seed=design.seed),
            "b": average(one.metric, pairs.b, pairs.clusters, level=design.level, seed=design.seed),
            "difference": difference(pairs, level=design.level, seed=design.seed),
            "naive": naive_difference(pairs, level=design.level),
            "p": test.p,
            "margin": margin,
        }
    )
    return Effect(
        metric=one.metric,
        role=role,
        pairs=len(pairs.a),
        units=pairs.units,
        **numbers,
        test=test.test,
        finding=finding,
        missing_a=int(one.a.missing.sum()),
        missing_b=int(one.b.missing.sum()),
        lacking=one.lacking,
        alone=one.alone,
        torn=one.torn,
        worst_case=(low_high[0], low_high[1]) if low_high else None,
    )


def _scaled(pairs: Pairs, metric: Metric, margin: float) -> Pairs:
    """No difference where B is worse by just this share of A; what is bounded stays so."""
    share = 1 + margin if metric.better == "lower" else max(0.0, 1 - margin)
    if pairs.bounded and share > 1:
        return Pairs.of(pairs.a, pairs.b / share, pairs.clusters, bounded=True)
    return Pairs.of(pairs.a * share, pairs.b, pairs.clusters, bounded=pairs.bounded)


def _filled(column: Column, value: float, alone: BoolArray) -> FloatArray:
    """By case, as if every missing value were this one, and so were what only the other side has."""
    known = case_means(np.where(column.missing, value, column.values))
    return np.where(alone & np.isnan(known), value, known)


def _apart(column: Column) -> FloatArray:
    """By case, how far either word of a judge that said two things lies from what is between them; 0 where it said one."""
    return np.zeros(len(column.values)) if column.noise is None else np.sqrt(np.nan_to_num(column.noise))
