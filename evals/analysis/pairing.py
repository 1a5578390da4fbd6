"""Two runs side by side: the cases that both were asked, the values of each, and which cases belong together.

Knows rows and columns. Knows no statistics, and not which side is to be judged.
"""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.cases import Case, asked
from evals.scorers.base import Metric
from evals.scores import BoolArray, Column, FloatArray, ScoreTable
from rag.errors import GroundwireError

IntArray = NDArray[np.int64]

DOCUMENT = "document"
"""What to cluster by, other than a tag: the documents that hold the answer."""
_NAMED = 3
"""Cases, or tags, that a sentence names at most."""


class Pairing(NamedTuple):
    """The cases that both runs were asked, in the order of A, with their rows in each table."""

    cases: tuple[Case, ...]
    rows_a: IntArray
    rows_b: IntArray
    problems: tuple[str, ...]
    """Sentences on the cases that only one side was asked."""


class Sides(NamedTuple):
    """One metric of both runs, a row a case, a column a repeat."""

    metric: Metric
    a: Column
    b: Column

    @property
    def applies(self) -> bool:
        """Whether any case has it, or should."""
        return any(bool(side.missing.any()) or not np.isnan(side.values).all() for side in (self.a, self.b))

    def only(self, cases: BoolArray) -> "Sides":
        """The same, with values of these cases only."""
        return Sides(self.metric, *(_blank(side, ~cases) for side in (self.a, self.b)))

    @property
    def alone(self) -> BoolArray:
        """The cases that have it on one side, and to which it does not apply on the other."""
        has_a, has_b = (~np.isnan(side.values).all(axis=1) for side in (self.a, self.b))
        owes_a, owes_b = (side.missing.any(axis=1) for side in (self.a, self.b))
        return np.asarray((has_a & ~has_b & ~owes_b) | (has_b & ~has_a & ~owes_a))


def pair(a: ScoreTable, b: ScoreTable, cases: Mapping[str, Case]) -> Pairing:
    """Match the rows of two tables by case, whatever their order.

    Raises `GroundwireError` where a table has a case twice, or one that `cases` does not know.
    """
    asked_a, asked_b = _rows(a, "A", cases), _rows(b, "B", cases)
    shared = [id for id in asked_a if id in asked_b]
    alone = {"A": [id for id in asked_a if id not in asked_b], "B": [id for id in asked_b if id not in asked_a]}
    return Pairing(
        cases=tuple(cases[id] for id in shared),
        rows_a=np.array([asked_a[id] for id in shared], dtype=np.int64),
        rows_b=np.array([asked_b[id] for id in shared], dtype=np.int64),
        problems=tuple(f"{_count(ids)} asked of {side} only and left out: {_some(ids)}" for side, ids in alone.items() if ids),
    )


def sides(metric: Metric, a: ScoreTable, b: ScoreTable, pairing: Pairing) -> Sides:
    """The metric of the paired cases, with the reasons of the whole runs; of a table without it, one that applies to none."""
    return Sides(metric, _column(a, metric.name, pairing.rows_a), _column(b, metric.name, pairing.rows_b))


def missing_share(column: Column) -> float:
    """Of the values that should be there."""
    missing = int(column.missing.sum())
    return missing / max(1, missing + int((~np.isnan(column.values)).sum()))


def case_means(values: FloatArray) -> FloatArray:
    """Over the repeats that have a value, shape (cases,); NaN where none has."""
    counts = (~np.isnan(values)).sum(axis=1)
    means: FloatArray = np.divide(np.nansum(values, axis=1), counts, out=np.full(len(values), np.nan), where=counts > 0)
    return means


def clusters(cases: Sequence[Case], by: str | None) -> IntArray | None:
    """A label for each case, the same for cases that are not independent; null where all are.

    Cases that ask the same hang together whatever they are clustered by. By `document`, so do cases that share a gold document,
    also through others; a case without one stands alone, as does a case without the tag. Raises `GroundwireError` where no case has
    the tag.
    """
    keys = _shared(cases, by)
    if not repeats(cases):
        return None if by is None else _components(keys)
    return _components([(*row, asked(case)) for row, case in zip(keys, cases, strict=True)])


def repeats(cases: Sequence[Case]) -> int:
    """Cases that ask what another of them asks."""
    return len(cases) - len({asked(case) for case in cases})


def _shared(cases: Sequence[Case], by: str | None) -> list[tuple[str, ...]]:
    """Of each case, what it may share with others."""
    if by is None:
        return [()] * len(cases)
    if by == DOCUMENT:
        return [case.gold_ids for case in cases]
    keys: list[tuple[str, ...]] = [(case.tags[by],) if by in case.tags else () for case in cases]
    if cases and not any(keys):
        tags = sorted({tag for case in cases for tag in case.tags})
        raise GroundwireError(f"no case has the tag {by}", f"cluster by {', '.join([DOCUMENT, *tags])}")
    return keys


def _blank(column: Column, rows: BoolArray) -> Column:
    values, missing = np.where(rows[:, None], np.nan, column.values), column.missing & ~rows[:, None]
    return Column(values, missing, column.reasons, column.noise)


def _column(table: ScoreTable, metric: str, rows: IntArray) -> Column:
    if metric not in table.columns:
        shape = len(rows), table.repeats
        return Column(np.full(shape, np.nan), np.zeros(shape, dtype=bool))
    return table.columns[metric].rows(rows)


def _components(keys: Sequence[tuple[Hashable, ...]]) -> IntArray:
    """Connected components of the graph whose edges lead from each case to its keys."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    node = {key: len(keys) + index for index, key in enumerate(dict.fromkeys(key for row in keys for key in row))}
    starts = [index for index, row in enumerate(keys) for _ in row]
    ends = [node[key] for row in keys for key in row]
    size = len(keys) + len(node)
    graph = coo_array((np.ones(len(starts), dtype=np.int8), (starts, ends)), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][: len(keys)], dtype=np.int64)


def _rows(table: ScoreTable, side: str, cases: Mapping[str, Case]) -> dict[str, int]:
    """The row of each case that was asked."""
    twice = [id for id, count in Counter(table.case_ids).items() if count > 1]
    if twice:
        raise GroundwireError(f"run {side} has {_count(twice)} twice ({_some(twice)})", "give every case an id of its own")
    strange = [id for id in table.case_ids if id not in cases]
    if strange:
        problem = f"run {side} has {_count(strange)} that the cases do not ({_some(strange)})"
        raise GroundwireError(problem, "compare it with the cases that it was asked")
    traced = (table.trace_ids != "").any(axis=1)
    return {id: row for row, id in enumerate(table.case_ids) if traced[row]}


def _count(ids: Sequence[str]) -> str:
    return f"{len(ids)} case{'s' if len(ids) > 1 else ''}"


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
