"""Stopping a comparison as soon as it is known, without paying for having looked.

Knows in which order cases may be looked at, and when enough is known. Knows no statistics and asks nothing.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from statistics import fmean

from evals.comparison import Design
from evals.execution.runs import Result
from evals.judge import PREFERRED
from evals.scorers.base import Metric
from evals.stats.sequential import Sequential
from rag.errors import GroundwireError

EQUIVALENT_EVERY = 16
"""Cases between two looks at whether the sides are known to be equivalent."""


class Early:
    """Watches the primary metrics, which have to be bounded, after every case.

    Cases are looked at in their own order, whichever is answered first: a slow answer must not be looked at late because it is bad.
    The primary metrics share the error, a part each (Bonferroni). Raises `GroundwireError` for a metric without bounds, and for cases
    that are not independent.
    """

    def __init__(self, primary: Sequence[Metric], order: Sequence[str], repeats: int, design: Design) -> None:
        for metric in primary:
            if metric.name == PREFERRED.name:
                problem = f"--early-stop cannot watch {metric.name}, which is judged when all is answered"
                raise GroundwireError(problem, "name another --primary, or leave out --early-stop")
            if not metric.bounded:
                problem = f"--early-stop cannot watch {metric.name}, which has no bounds"
                raise GroundwireError(problem, "name another --primary, or leave out --early-stop")
        if design.cluster_by:
            raise GroundwireError(
                "--early-stop looks at one case at a time, and --cluster-by says that they belong together",
                "leave out one of the two",
            )
        if not 0 < design.margin < 1:
            raise GroundwireError(
                f"--early-stop cannot tell what is equivalent within a margin of {design.margin:g}",
                "give a --margin between 0 and 1",
            )
        self._metrics = tuple(primary)
        self._design = design
        self._order = tuple(order)
        self._repeats = repeats
        self._next = 0
        self._seen: dict[str, list[list[Mapping[str, object]]]] = {}
        self.tests = {metric.name: Sequential((1 - design.level) / len(primary)) for metric in primary}
        self.known: str | None = None

    @property
    def looked_at(self) -> int:
        """Cases."""
        return self._next

    @property
    def looked_at_ids(self) -> tuple[str, ...]:
        return self._order[: self._next]

    def see(self, side: int, result: Result) -> str | None:
        """See `evals.execution.Watcher`."""
        self._seen.setdefault(result.case.id, [[], []])[side].append(result.scores)
        while self.known is None and self._next < len(self._order) and self._complete(self._order[self._next]):
            self._look(self._seen.pop(self._order[self._next]))
            self._next += 1
        return self.known

    def _complete(self, case_id: str) -> bool:
        return all(len(scores) == self._repeats for scores in self._seen.get(case_id, [[], []]))

    def _look(self, both: Sequence[Sequence[Mapping[str, object]]]) -> None:
        for metric in self._metrics:
            a, b = (_mean(scores, metric.name) for scores in both)
            if a is not None and b is not None:
                self.tests[metric.name].observe(b - a)
        for metric in self._metrics:
            if self.tests[metric.name].decided:
                self.known = f"{metric.label} is known to differ"
        # Each such look reads all differences again, and a few cases more change little.
        if (self._next + 1) % EQUIVALENT_EVERY == 0 and all(test.equivalent(self._design.margin) for test in self.tests.values()):
            self.known = "the primary metrics are known to be equivalent"


def _mean(scores: Sequence[Mapping[str, object]], metric: str) -> float | None:
    values = [value for one in scores if isinstance(value := one.get(metric), float | int) and isfinite(value)]
    return fmean(values) if values else None
