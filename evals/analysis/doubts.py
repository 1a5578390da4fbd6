"""What to know before trusting a comparison, in sentences: failures, missing values, too few cases.

Knows what makes numbers untrustworthy. Knows nothing of what the numbers say.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from evals.analysis.effects import TOO_MANY_MISSING
from evals.analysis.pairing import IntArray, Sides, missing_share
from evals.scorers.base import Metric
from evals.scores import Column, ScoreTable
from rag.trace import Outcome

_UNANSWERED = (Outcome.FAILED, Outcome.TIMED_OUT, Outcome.DISCONNECTED)
TOO_MANY_UNANSWERED = 0.10
"""Of a side's requests: beyond that, a run says more about its upstream than about its prompt."""
_REASONS = 3
"""For missing values, that a sentence names at most."""
_FEW_CLUSTERS = 10


def unanswered(sides: Mapping[str, ScoreTable], *, beyond: bool) -> Iterator[str]:
    """A sentence for each side some of whose requests were not answered, where they are too many or where they are not."""
    for side, table in sides.items():
        counts = {outcome: table.outcomes[outcome] for outcome in _UNANSWERED if table.outcomes[outcome]}
        unanswered, asked = sum(counts.values()), table.outcomes.total()
        if unanswered and (unanswered > TOO_MANY_UNANSWERED * asked) is beyond:
            how = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in counts.items())
            limit = f", more than {TOO_MANY_UNANSWERED:.0%}" if beyond else ""
            yield f"{unanswered:,} of {asked:,} requests of {side} were not answered ({how}){limit}{because(table)}"


def because(table: ScoreTable) -> str:
    """The most frequent reason for which requests were not answered, as the end of a sentence."""
    return "".join(f": {reason} ({count:,} of them)" for reason, count in table.failures.most_common(1))


def too_little(primary: Sequence[Sides], measured: Collection[str]) -> Iterator[str]:
    """Why the primary metrics cannot carry a verdict; `measured` names the metrics with enough pairs."""
    if all(one.metric.name not in measured for one in primary):
        yield f"fewer than two independent cases have {' or '.join(one.metric.label for one in primary)} on both sides"
    for one in primary:
        for side, values in (("A", one.a), ("B", one.b)):
            if missing_share(values) > TOO_MANY_MISSING:
                yield f"{missing(one.metric, side, values)}, more than {TOO_MANY_MISSING:.0%}"


def gaps(deciding: Sequence[Sides], measured: Collection[str]) -> Iterator[str]:
    """What is not known of the metrics that decide, or was left out of them."""
    for one in deciding:
        if not one.applies:
            yield f"{one.metric.label} applies to no case, and decides nothing"
            continue
        if one.metric.name not in measured:
            yield f"fewer than two independent cases have {one.metric.label} on both sides"
        yield from (missing(one.metric, side, values) for side, values in (("A", one.a), ("B", one.b)) if values.missing.any())
        has_a, has_b = (~np.isnan(side.values).all(axis=1) for side in (one.a, one.b))
        owes_a, owes_b = (side.missing.any(axis=1) for side in (one.a, one.b))
        alone = int(((has_a & ~has_b & ~owes_b) | (has_b & ~has_a & ~owes_a)).sum())
        if alone:
            yield f"{one.metric.label} applies on one side only to {alone:,} cases, which are left out of it"


def missing(metric: Metric, side: str, values: Column) -> str:
    """How many values are not there, of how many, and why."""
    count = int(values.missing.sum())
    of = count + int((~np.isnan(values.values)).sum())
    why = ", ".join(f"{reason} {times:,}" for reason, times in values.reasons.most_common(_REASONS))
    return f"{count:,} of {of:,} values of {metric.label} are missing from {side}" + (f" ({why})" if why else "")


def few(together: IntArray | None) -> Iterator[str]:
    """Whether the labels of the cases are too few for their intervals to be exact."""
    if together is not None and 0 < (units := len(np.unique(together))) < _FEW_CLUSTERS:
        yield f"the cases form only {units} independent clusters, and intervals from so few are rough"
