"""Tables of scores, made by hand or drawn at random."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evals.cases import Case
from evals.scorers.base import Metric
from evals.scores import Column, ScoreTable

Unit = Literal["share", "binary", "seconds", "dollars", "tokens"]


def metric(name: str, unit: Unit = "share", better: Literal["higher", "lower"] = "higher") -> Metric:
    return Metric(name=name, label=name, better=better, unit=unit)


def cases(count: int, **changes: Sequence[object]) -> dict[str, Case]:
    """`c0`, `c1`, ... with the fields given one value a case."""
    fields = [dict(zip(changes, values, strict=True)) for values in zip(*changes.values(), strict=True)] or [{}] * count
    return {f"c{i}": Case.model_validate({"id": f"c{i}", "question": f"Question {i}?"} | fields[i]) for i in range(count)}


def table(
    columns: Mapping[str, ArrayLike],
    missing: Mapping[str, ArrayLike] | None = None,
    outcomes: Mapping[str, int] | None = None,
    ids: Sequence[str] | None = None,
    side: str = "a",
    timed: ArrayLike = "2026-11-23T14:05:30.000000+00:00",
) -> ScoreTable:
    """Values of shape (cases,) or (cases, repeats); `missing` says where, and why is always "the judge was silent"; `timed`, by which
    asking, of all or of each case.
    """
    values = {name: _two_dimensional(column).astype(float) for name, column in columns.items()}
    count, repeats = next(iter(values.values())).shape
    gaps = {name: _two_dimensional(gap).astype(bool) for name, gap in (missing or {}).items()}
    names = ids if ids is not None else [f"c{i}" for i in range(count)]
    return ScoreTable(
        case_ids=tuple(names),
        columns={
            name: Column(
                np.where(gap, np.nan, column), gap, Counter({"the judge was silent": int(gap.sum())} if gap.any() else {})
            )
            for name, column in values.items()
            for gap in [gaps.get(name, np.zeros((count, repeats), dtype=bool))]
        },
        trace_ids=np.array([[f"{side}:{name}:{repeat}" for repeat in range(repeats)] for name in names]).reshape(count, repeats),
        timed=np.broadcast_to(_two_dimensional(timed) if np.ndim(timed) else timed, (count, repeats)),
        outcomes=Counter(outcomes if outcomes is not None else {"answered": count * repeats}),
    )


def _two_dimensional(values: ArrayLike) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    array = np.asarray(values)
    return array[:, None] if array.ndim == 1 else array
