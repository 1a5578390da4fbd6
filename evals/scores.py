"""The scores of one run as columns: what comparing and planning read.

Knows shapes. Knows nothing of where scores come from or what they mean.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
RowIndex = NDArray[np.int64] | list[int]


@dataclass(frozen=True)
class Column:
    """One metric over a run, both arrays of shape (cases, repeats)."""

    values: FloatArray
    """NaN where the metric does not apply or its value is missing."""
    missing: BoolArray
    """Where a value should be and is not."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why values are missing."""
    noise: FloatArray | None = None
    """Shape (cases,): the variance of each case's value that measuring it again would show, such as a judge's; null where unknown."""

    def rows(self, rows: RowIndex) -> "Column":
        """The column of these cases, with the reasons of all."""
        noise = None if self.noise is None else self.noise[rows]
        return Column(self.values[rows], self.missing[rows], self.reasons, noise)


@dataclass(frozen=True)
class ScoreTable:
    """All metrics of one run; a case has the same row in every array."""

    case_ids: tuple[str, ...]
    columns: Mapping[str, Column]
    trace_ids: NDArray[np.str_]
    """Shape (cases, repeats); empty where the case was not asked."""
    timed: NDArray[np.str_]
    """Shape (cases, repeats): which askings its time is from; empty where that is not known."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """How the requests ended."""
    failures: Counter[str] = field(default_factory=Counter)
    """Why those ended that were not answered."""

    @property
    def repeats(self) -> int:
        return int(self.trace_ids.shape[1])
