"""The cases whose answer became good or bad, or moved furthest.

Knows scores by case and repeat. Knows nothing of how an answer is read from its trace, or shown.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evals.analysis.pairing import case_means
from evals.cases import Case
from evals.comparison import Answer, Flip
from evals.scorers.base import Metric
from evals.scores import FloatArray
from rag.trace import Trace

TraceIds = NDArray[np.str_]

MIDDLE = 0.5
_MOST = 10
"""Each way: nobody reads more."""
_HANDFUL = 5
"""Where fewer than that cross the middle, those that moved far are shown too."""
_FAR = 0.2


class Flipped(NamedTuple):
    """A flip whose answers are still to be read; of each side the repeat whose score is nearest to the case's mean."""

    case: Case
    metric: str
    gained: bool
    trace_a: str
    score_a: float
    trace_b: str
    score_b: float
    crossed: bool
    """Its mean went from one side of the middle to the other; else it only moved far."""


class Chosen(NamedTuple):
    """The flips that are shown, and how many cases crossed the middle each way."""

    flipped: tuple[Flipped, ...]
    lost: int
    gained: int


class Moves(NamedTuple):
    """A metric of both sides, arrays of shape (cases, repeats)."""

    metric: Metric
    a: FloatArray
    b: FloatArray


def choose(cases: Sequence[Case], traces_a: TraceIds, traces_b: TraceIds, metrics: Sequence[Moves]) -> Chosen:
    """Of the metrics given, which are bounded: gains first, at most ten each way, a case once each way, the biggest moves first.

    A case flips where its mean over the repeats crosses the middle. The traces have the shape (cases, repeats).
    """
    best: dict[tuple[bool, int], tuple[bool, float, int]] = {}
    for index, (metric, a, b) in enumerate(metrics):
        before, after = case_means(a), case_means(b)
        moved = np.nan_to_num(after - before)
        crossed = ((before < MIDDLE) != (after < MIDDLE)) & (moved != 0)
        for row in np.flatnonzero(crossed | (np.abs(moved) > _FAR)).tolist():
            way = bool((moved[row] > 0) == (metric.better == "higher")), row
            move = bool(crossed[row]), float(abs(moved[row])), -index
            best[way] = max(best.get(way, move), move)
    chosen: list[Flipped] = []
    crossings: list[int] = []
    for gained in (True, False):
        ranked = sorted(((move, row) for (way, row), move in best.items() if way is gained), key=lambda one: (*one[0], -one[1]))
        crossings.append(sum(move[0] for move, _ in ranked))
        for (has_crossed, _, index), row in ranked[::-1][: min(_MOST, max(crossings[-1], _HANDFUL))]:
            metric, a, b = metrics[-index]
            up = gained is (metric.better == "higher")
            sides = *typical(a[row], traces_a[row], not up), *typical(b[row], traces_b[row], up)
            chosen.append(Flipped(cases[row], metric.name, gained, *sides, has_crossed))
    gains, losses = crossings
    return Chosen(tuple(chosen), losses, gains)


def flips(flipped: Sequence[Flipped], read_trace: Callable[[str], Trace]) -> tuple[Flip, ...]:
    """The same with both answers."""
    return tuple(
        Flip(
            case=one.case,
            metric=one.metric,
            gained=one.gained,
            crossed=one.crossed,
            a=answer(read_trace(one.trace_a), one.score_a),
            b=answer(read_trace(one.trace_b), one.score_b),
        )
        for one in flipped
    )


def answer(trace: Trace, score: float) -> Answer:
    """What a report shows of one answer."""
    return Answer(trace_id=trace.id, outcome=trace.outcome, text=trace.answer, score=score, claims=trace.claims)


def typical(values: FloatArray, trace_ids: TraceIds, up: bool) -> tuple[str, float]:
    """The repeat whose score is nearest to the case's mean. Of two repeats that are equally near, the one that lies where the case moved."""
    near = np.abs(values - np.nanmean(values))
    repeat = int(np.lexsort((-values if up else values, near))[0])
    return str(trace_ids[repeat]), float(values[repeat])
