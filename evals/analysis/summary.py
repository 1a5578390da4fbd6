"""The scores of one run in short: the mean of each metric, quantiles of what takes time, and the cases it did worst.

Knows scores by case and repeat. Knows nothing of how an answer is read from its trace, or shown.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from evals.analysis.effects import average, gain
from evals.analysis.flips import typical
from evals.analysis.pairing import IntArray, case_means
from evals.cases import Case
from evals.comparison import Design
from evals.measurement import Mean, Quantile
from evals.scorers.base import Metric
from evals.scores import ScoreTable
from evals.stats.paired import Pairs
from evals.stats.quantiles import NEEDED, quantile_difference

_MOST = 10
"""Nobody reads more."""


class Low(NamedTuple):
    """A case that was answered badly, whose answer is still to be read: the repeat whose score is nearest to the case's mean."""

    case: Case
    metric: str
    trace: str
    score: float


def means(table: ScoreTable, metrics: Sequence[Metric], together: IntArray | None, design: Design) -> Iterator[Mean]:
    """Of each metric that the table has; `together` says which of its rows are not independent."""
    for metric in metrics:
        if metric.name not in table.columns:
            continue
        column = table.columns[metric.name]
        by_case = case_means(column.values)
        known = ~np.isnan(by_case)
        estimate = None
        if known.any():
            clusters = None if together is None else together[known]
            estimate = average(metric, by_case[known], clusters, level=design.level, seed=design.seed)
        yield Mean(metric=metric, estimate=estimate, cases=int(known.sum()), missing=int(column.missing.sum()))


def quantiles(table: ScoreTable, metrics: Sequence[Metric], together: IntArray | None, design: Design) -> Iterator[Quantile]:
    """Over all requests, for each metric in seconds and each quantile that there are enough cases for; those of a case stay together."""
    for metric in metrics:
        if metric.unit != "seconds" or metric.name not in table.columns:
            continue
        values = table.columns[metric.name].values
        known = ~np.isnan(values)
        rows = np.nonzero(known)[0]
        seconds = values[known]
        for quantile, needed in NEEDED.items():
            if len(np.unique(rows)) >= needed:
                # Of one side alone: its difference from a side that takes no time.
                pairs = Pairs.of(np.zeros_like(seconds), seconds, rows if together is None else together[rows])
                estimate = quantile_difference(pairs, quantile, level=design.level, seed=design.seed)
                yield Quantile(metric=metric, quantile=quantile, estimate=estimate)


def lowest(table: ScoreTable, cases: Mapping[str, Case], metric: Metric, without: Collection[str]) -> Iterator[Low]:
    """At most ten cases, the worst first, none that is as good as can be; `without` are ids of cases that are told elsewhere."""
    if metric.name not in table.columns:
        return
    values = table.columns[metric.name].values
    gains = np.array([gain(metric, mean) for mean in case_means(values)])
    best = gain(metric, 1.0 if metric.better == "higher" else 0.0) if metric.bounded else np.inf
    ranked = [row for row in np.argsort(gains, kind="stable").tolist() if gains[row] < best]
    for row in [row for row in ranked if table.case_ids[row] not in without][:_MOST]:
        trace, score = typical(values[row], table.trace_ids[row], up=metric.better == "lower")
        yield Low(cases[table.case_ids[row]], metric.name, trace, score)
