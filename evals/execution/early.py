"""Stopping a comparison as soon as it is known, without paying for having looked.

Knows in which order cases may be looked at, and when enough is known. Asks nothing, and knows no storage.
"""

from collections.abc import Hashable, Mapping, Sequence
from math import isfinite
from statistics import fmean

from evals.analysis.compare import compare
from evals.analysis.effects import gain
from evals.cases import asked
from evals.comparison import Design, Verdict
from evals.execution.runs import Result, table
from evals.judge import PREFERRED
from evals.scorers.base import Metric
from evals.stats.sequential import Sequential
from rag.errors import GroundwireError

FIRST_LOOK = 32
"""Cases before the verdict is looked at; then at twice as many, and so on: intervals of fewer cases are rough."""
KNOWN = (Verdict.BETTER, Verdict.WORSE, Verdict.EQUIVALENT)


class Early:
    """Watches the primary metrics, which have to be bounded, after every case, and the whole verdict at a few numbers of cases.

    Cases are looked at in their own order, whichever is answered first: a slow answer must not be looked at late because it is bad.
    The primary metrics share the error, a part each (Bonferroni), and their tests hold however often one looks. What guardrails may
    err is shared by the looks at the verdict, which are few and set beforehand. A primary metric that is worse ends it at once, for
    no guardrail could change that. Raises `GroundwireError` for a primary metric without bounds, for what is judged when all is
    answered, and for cases that are not independent.
    """

    def __init__(
        self, primary: Sequence[Metric], guarded: Sequence[Metric], order: Sequence[str], repeats: int, design: Design
    ) -> None:
        for metric in (*primary, *guarded):
            if metric.name == PREFERRED.name:
                problem = f"--early-stop cannot watch {metric.name}, which is judged when all is answered"
                raise GroundwireError(problem, "decide by another metric, or leave out --early-stop")
        for metric in primary:
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
        self._deciding = {metric.name: metric for metric in (*primary, *guarded)}
        self._design = design
        self._order = tuple(order)
        self._repeats = repeats
        self._waiting: dict[str, tuple[list[Result], list[Result]]] = {}
        self._looked_at: tuple[list[Result], list[Result]] = ([], [])
        self.looked_at = 0
        """Cases."""
        self._observed: set[tuple[str, Hashable]] = set()
        """Of which metric and question a value was: one that is asked again tells the tests nothing, which take cases for independent."""
        self.looks = looks(len(order))
        """The numbers of cases at which the verdict is looked at, all of them the last."""
        self.tests = {metric.name: Sequential((1 - design.level) / len(primary)) for metric in primary}
        self.known: str | None = None

    @property
    def looked_at_ids(self) -> tuple[str, ...]:
        return self._order[: self.looked_at]

    def see(self, side: int, result: Result) -> str | None:
        """See `evals.execution.Watcher`."""
        scores = {name: score for name, score in result.scores.items() if name in self._deciding}
        self._waiting.setdefault(result.case.id, ([], []))[side].append(result.model_copy(update={"scores": scores}))
        while self.known is None and self.looked_at < len(self._order) and self._complete(self._order[self.looked_at]):
            self._look(self._waiting.pop(self._order[self.looked_at]))
        return self.known

    def _complete(self, case_id: str) -> bool:
        return all(len(results) == self._repeats for results in self._waiting.get(case_id, ([], [])))

    def _look(self, both: tuple[list[Result], list[Result]]) -> None:
        self.looked_at += 1
        for looked_at, results in zip(self._looked_at, both, strict=True):
            looked_at += results
        self._observe(both)
        if any(self._worse(metric) for metric in self._metrics) and self._verdict() is Verdict.WORSE:
            self.known = "a primary metric is known to be worse"
        elif self.looked_at in self.looks[:-1] and (verdict := self._verdict()) in KNOWN:
            self.known = f"the verdict is known: {verdict}"

    def _observe(self, both: tuple[list[Result], list[Result]]) -> None:
        question = asked(both[0][0].case)
        for metric in self._metrics:
            a, b = (_mean([result.scores for result in results], metric.name) for results in both)
            if a is not None and b is not None and (metric.name, question) not in self._observed:
                self._observed.add((metric.name, question))
                self.tests[metric.name].observe(b - a)

    def _worse(self, metric: Metric) -> bool:
        decided = self.tests[metric.name].decided
        return decided is not None and gain(metric, 1.0 if decided == "better" else -1.0) < 0

    def _verdict(self) -> Verdict:
        """As the report would tell it, were this the end."""
        a, b = (table(results) for results in self._looked_at)
        cases = {result.case.id: result.case for result in self._looked_at[0]}
        return compare(a, b, cases, list(self._deciding.values()), self._design, self.tests, len(self.looks)).verdict


def looks(cases: int) -> tuple[int, ...]:
    """`FIRST_LOOK`, doubled as long as there are more cases, and all of them."""
    found = [FIRST_LOOK]
    while found[-1] < cases:
        found.append(2 * found[-1])
    return (*found[:-1], cases)


def _mean(scores: Sequence[Mapping[str, object]], metric: str) -> float | None:
    values = [value for one in scores if isinstance(value := one.get(metric), float | int) and isfinite(value)]
    return fmean(values) if values else None
