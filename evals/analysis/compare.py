"""Two runs over the same cases, compared: findings, verdict, and where they come from.

Knows which numbers a comparison needs. Knows no storage, and none of the methods.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from evals.analysis import doubts
from evals.analysis.effects import by_test, effects, gain, measured, paired
from evals.analysis.flips import Chosen, Moves, choose
from evals.analysis.pairing import IntArray, Sides, case_means, clusters, pair, sides
from evals.analysis.timing import timing
from evals.analysis.variance import shares
from evals.analysis.verdict import judge
from evals.cases import Case
from evals.comparison import (
    Design,
    Effect,
    Finding,
    QuantileEffect,
    TagEffect,
    VarianceShares,
    Verdict,
)
from evals.scorers.base import Metric
from evals.scores import ScoreTable
from evals.stats.multiplicity import benjamini_hochberg
from evals.stats.paired import Pairs, difference, significance
from evals.stats.quantiles import NEEDED, quantile_difference
from evals.stats.sequential import Sequential
from rag.errors import GroundwireError

RETRIEVAL = "recall"
"""The metric that tells what was found for a case."""
ANSWERING = "refusal_correct"
"""The metric that every answer and every refusal has."""
_TAGGED = 5
"""Cases of a tag, at least: with fewer no test can find anything."""


class Analysis(NamedTuple):
    """What the scores of two runs say: a `Comparison` less what the runs say of themselves."""

    verdict: Verdict
    reasons: tuple[str, ...]
    problems: tuple[str, ...]
    notes: tuple[str, ...]
    effects: tuple[Effect, ...]
    quantiles: tuple[QuantileEffect, ...]
    tags: tuple[TagEffect, ...]
    flips: Chosen
    variances: tuple[VarianceShares, ...]
    timed: tuple[str, ...]
    """The cases that were timed side by side."""


def compare(
    a: ScoreTable,
    b: ScoreTable,
    cases: Mapping[str, Case],
    metrics: Sequence[Metric],
    design: Design,
    watched: Mapping[str, Sequential] | None = None,
    looks: int = 1,
) -> Analysis:
    """B against the baseline A, paired by case. `watched`: the tests of the primary metrics, where every case was looked at,
    and `looks`, how often the verdict was.

    Raises `GroundwireError` where a table has a case twice or an unknown one, or the design names a metric or tag that is not
    there. A metric that is primary is no guardrail as well; a guardrail that applies to no case is let go, and said. Times are
    compared of cases that both sides were asked together, whatever answers are kept. A guardrail that nobody named looks at the
    cases to which it applies on both sides.
    """
    _check(design, [metric.name for metric in metrics])
    pairing = pair(a, b, cases)
    together = clusters(pairing.cases, design.cluster_by)
    timed = timing(a, b, pairing)
    whole = {metric.name: sides(metric, a, b, pairing) for metric in metrics}
    both = {name: one.only(timed.together) if one.metric.unit == "seconds" else one for name, one in whole.items()}
    primary = [both[name] for name in dict.fromkeys(design.primary)]
    guardrails = [one for one in design.guardrails if one.metric not in design.primary]
    unnamed = {one.metric for one in guardrails if one.by_default}
    shared = {name: side.only(~side.alone) if name in unnamed else side for name, side in both.items()}
    pairs = {name: one for name, side in shared.items() if (one := measured(side, together)) is not None}
    declared = [*primary, *(both[one.metric] for one in guardrails)]
    untold = () if timed.tells else [name for name, one in whole.items() if one.metric.unit == "seconds"]
    pointless = {*untold, *(name for name, one in pairs.items() if one.nothing_to_lose)} & unnamed
    pointless |= unnamed - pairs.keys()
    binding = [one for one in guardrails if whole[one.metric].applies and one.metric not in pointless]
    design = design.model_copy(update={"guardrails": tuple(binding)})
    found = effects(list(pairs.values()), design, watched or {}, looks)
    verdict, reasons = judge(
        found, design, [*doubts.unanswered({"A": a, "B": b}, beyond=True), *doubts.too_little(primary, pairs)], len(pairing.cases)
    )
    told = {one.metric.name for one in found if one.lacking} | {one.metric.name for one in doubts.riddled(primary)}
    told |= unnamed - {one.metric for one in binding} - {*untold}
    gaps = [one for one in declared if one.metric.name not in told and (one.applies or not whole[one.metric.name].applies)]
    late = [doubt for one in declared if one.metric.unit == "seconds" for doubt in timed.doubts(one.metric.label)]
    return Analysis(
        verdict=verdict,
        reasons=reasons,
        problems=(
            *pairing.problems,
            *(late if timed.left_out > doubts.MANY else ()),
            *doubts.gaps(gaps, pairs, many=True),
            *doubts.repeated(pairing.cases),
            *doubts.unread(pairing.cases),
            *doubts.few(together),
            *(() if watched else doubts.unseen(found, pairs)),
        ),
        notes=(
            *doubts.unanswered({"A": a, "B": b}, beyond=False),
            *(() if timed.left_out > doubts.MANY else late),
            *doubts.gaps(gaps, pairs, many=False),
        ),
        effects=found,
        quantiles=tuple(effect for name in pairs for effect in _quantiles(both[name], together, design)),
        tags=_tags(pairing.cases, primary, together, design),
        flips=choose(
            pairing.cases,
            a.trace_ids[pairing.rows_a],
            b.trace_ids[pairing.rows_b],
            [
                *(Moves(metric, of_a.values, of_b.values) for metric, of_a, of_b in primary if metric.bounded),
                *_answering(both, primary),
            ],
        ),
        variances=tuple(_variances(primary, both.get(RETRIEVAL))),
        timed=tuple(case.id for case, together in zip(pairing.cases, timed.together, strict=True) if together),
    )


def _answering(both: Mapping[str, Sides], primary: Sequence[Sides]) -> Iterator[Moves]:
    """Of the cases that a primary metric has on one side only, whether it was right to answer: that, at least, is known of both."""
    if ANSWERING in both:
        metric, a, b = both[ANSWERING]
        alone = np.logical_or.reduce([one.alone for one in primary])
        yield Moves(metric, *(np.where(alone[:, None], side.values, np.nan) for side in (a, b)))


def _check(design: Design, metrics: Sequence[str]) -> None:
    named = [*design.primary, *(guardrail.metric for guardrail in design.guardrails)]
    strange = next((name for name in named if name not in metrics), None)
    if strange is not None:
        raise GroundwireError(f"there is no metric {strange}", f"there are {', '.join(metrics)}")
    if not design.primary:
        raise GroundwireError("no primary metric is set", f"choose one of {', '.join(metrics)}")


def _quantiles(one: Sides, together: IntArray | None, design: Design) -> Iterator[QuantileEffect]:
    """Over all requests, which are paired by case and repeat; those of a case stay together."""
    if one.metric.unit != "seconds":
        return
    repeats = min(one.a.values.shape[1], one.b.values.shape[1])
    a, b = one.a.values[:, :repeats], one.b.values[:, :repeats]
    known = ~np.isnan(a) & ~np.isnan(b)
    rows = np.nonzero(known)[0]
    cases = len(np.unique(rows))
    pairs = Pairs.of(a[known], b[known], rows if together is None else together[rows])
    for quantile, needed in NEEDED.items():
        if cases >= needed:
            yield QuantileEffect(
                metric=one.metric,
                quantile=quantile,
                a=float(np.quantile(pairs.a, quantile)),
                b=float(np.quantile(pairs.b, quantile)),
                difference=quantile_difference(pairs, quantile, level=design.level, seed=design.seed),
            )


def _tags(cases: Sequence[Case], primary: Sequence[Sides], together: IntArray | None, design: Design) -> tuple[TagEffect, ...]:
    """Every tag with enough cases, the worst first; B is found different where the false-discovery rate allows."""
    rows: dict[tuple[str, str], list[int]] = {}
    for row, case in enumerate(cases):
        for tag in case.tags.items():
            rows.setdefault(tag, []).append(row)
    means = [(one.metric, case_means(one.a.values), case_means(one.b.values)) for one in primary]
    tagged = [
        (tag, metric, pairs, significance(pairs, seed=design.seed).p)
        for tag, chosen in rows.items()
        if len(chosen) >= _TAGGED
        for metric, a, b in means
        if (pairs := paired(metric, a[chosen], b[chosen], None if together is None else together[chosen])) is not None
        and len(pairs.a) >= _TAGGED
    ]
    found = [
        TagEffect(
            tag=tag,
            value=value,
            metric=metric,
            pairs=len(pairs.a),
            difference=difference(pairs, level=design.level, seed=design.seed),
            p=p,
            q=q,
            finding=by_test(metric, pairs, q, design),
        )
        for ((tag, value), metric, pairs, p), q in zip(tagged, benjamini_hochberg([p for *_, p in tagged]), strict=True)
    ]
    order = [Finding.WORSE, Finding.UNKNOWN, Finding.BETTER]
    return tuple(sorted(found, key=lambda one: (order.index(one.finding), gain(one.metric, one.difference.value))))


def _variances(primary: Sequence[Sides], retrieval: Sides | None) -> Iterator[VarianceShares]:
    found = None if retrieval is None else case_means(retrieval.b.values) - case_means(retrieval.a.values)
    for one in primary:
        # What the judge gives to one side it takes from the other, so that its noise on the two adds up.
        judge = None if one.a.noise is None or one.b.noise is None else (np.sqrt(one.a.noise) + np.sqrt(one.b.noise)) ** 2
        split = shares(one.metric.name, one.a.values, one.b.values, found, judge)
        if split is not None:
            yield split
