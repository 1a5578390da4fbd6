"""What earlier runs of two variants tell of the next ones: how answers differ, cost and last.

Knows which runs are alike. Knows nothing of power.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from evals.analysis.pairing import case_means, clusters, pair, sides
from evals.execution.runs import Run, Runs
from evals.scorers.base import Metric
from evals.stats.paired import Pairs
from rag.llms.pricing import total

RECENT = 200
"""Runs that are looked through."""
FEWEST = 10
"""Cases that both were asked: fewer tell nothing of a spread."""


class Pilot(NamedTuple):
    """Measured on the newest two runs of these variants."""

    source: str
    """Which, for people."""
    pairs: Mapping[str, Pairs]
    """By metric."""
    cluster_sizes: Sequence[int]
    nanodollars: float | None
    """Of one answer."""
    seconds: float
    """Of one answer."""


def pilot(runs: Runs, planned: Sequence[Run], metrics: Sequence[Metric], cluster_by: str | None) -> Pilot | None:
    """None where two such as are planned were never asked enough of the same cases."""
    recent = [run for run, _ in runs.latest(RECENT)]
    both = [next((run for run in recent if _alike(run, one)), None) for one in planned]
    if None in both:
        return None
    a, b = (run for run in both if run)
    tables = [runs.table(run.id) for run in (a, b)]
    cases = {result.case.id: result.case for run in (a, b) for result in runs.results(run.id)}
    pairing = pair(tables[0], tables[1], cases)
    if len(pairing.cases) < FEWEST:
        return None
    together = clusters(pairing.cases, cluster_by)
    pairs = {}
    for metric in metrics:
        _, *columns = sides(metric, tables[0], tables[1], pairing)
        values = [case_means(column.values) for column in columns]
        known = ~np.isnan(values[0]) & ~np.isnan(values[1])
        if known.sum() >= FEWEST:
            pairs[metric.name] = Pairs.of(
                values[0][known], values[1][known], None if together is None else together[known], bounded=metric.bounded
            )
    totals = [runs.totals(run.id) for run in (a, b)]
    answers = sum(int((table.trace_ids != "").sum()) for table in tables)
    nanodollars = total(run.cost_nanodollars for run in totals)
    return Pilot(
        source=f"measured on {len(pairing.cases):,} cases of {a.name} and {b.name}",
        pairs=pairs,
        cluster_sizes=() if together is None else tuple(np.bincount(together).tolist()),
        nanodollars=None if nanodollars is None else nanodollars / answers,
        seconds=sum(run.seconds for run in totals) / answers,
    )


def _alike(run: Run, planned: Run) -> bool:
    one, other = ((run.variant.sha256, run.prompts, run.collection) for run in (run, planned))
    return one == other
