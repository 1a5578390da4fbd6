"""Random draws of independent units, in portions that fit into memory. Knows no values."""

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from evals.scores import FloatArray

RESAMPLES = 2_000
_KEPT = 4_000_000
"""Cells of the largest plan that is kept: 32 MB."""
PORTION = 400_000
"""Cells of one portion: about what a processor's cache holds."""


def resamples(units: int, seed: int) -> Iterator[FloatArray]:
    """How often each unit was drawn in each of `RESAMPLES` bootstrap samples: portions of shape (rows, `units`)."""
    if units * RESAMPLES <= _KEPT:
        yield _plan(units, seed)
        return
    rng, rows = np.random.default_rng(seed), max(1, PORTION // units)
    for start in range(0, RESAMPLES, rows):
        yield _counts(rng, min(rows, RESAMPLES - start), units)


@lru_cache(maxsize=4)
def _plan(units: int, seed: int) -> FloatArray:
    """Kept, since all metrics of a comparison have the same cases: they are then resampled together, and faster."""
    plan = _counts(np.random.default_rng(seed), RESAMPLES, units)
    plan.flags.writeable = False
    return plan


def _counts(rng: np.random.Generator, rows: int, units: int) -> FloatArray:
    cells = rng.integers(0, units, (rows, units)) + units * np.arange(rows)[:, None]
    return np.bincount(cells.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)
