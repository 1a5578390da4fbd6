"""Many p-values at once: corrections that keep their promise over all of them. Knows nothing of where they come from."""

from collections.abc import Sequence

import numpy as np


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given; the chance of one or more false findings stays below the level (Holm, 1979).

    Raises `ValueError` where one is not within 0 and 1.
    """
    values = _checked(ps)
    order = np.argsort(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1.0)
    return [float(p) for p in adjusted]


def benjamini_hochberg(ps: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given; of the findings below a level, that share is false at most (1995).

    Holds where the tests are independent or positively dependent. Raises `ValueError` where one is not within 0 and 1.
    """
    from scipy.stats import false_discovery_control

    values = _checked(ps)
    return [float(p) for p in false_discovery_control(values)] if len(values) else []


def _checked(ps: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    values = np.asarray(ps, dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError("a p-value lies within 0 and 1")
    return values
