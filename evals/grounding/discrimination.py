"""How well a measure of support tells supported from hallucinated: area under the ROC curve, balanced accuracy.

Knows two samples of numbers. Knows nothing of what they measure.
"""

from typing import NamedTuple

import numpy as np

from evals.comparison import Estimate
from evals.scores import FloatArray


class Threshold(NamedTuple):
    """The threshold of the highest balanced accuracy over a sample, on that same sample: what lies below it is hallucinated."""

    threshold: float
    balanced_accuracy: float


def auroc(supported: FloatArray, hallucinated: FloatArray, level: float = 0.95) -> Estimate | None:
    """The share of pairs in which the supported one has more, ties half (Mann and Whitney, 1947); null where a class is empty.

    Interval of DeLong, DeLong and Clarke-Pearson (1988), by mid-ranks as Sun and Xu (2014), on the logit scale, which keeps it
    within 0 and 1. Where the classes do not overlap, its variance is 0 and shows nothing: the bound is then that of Clopper and
    Pearson (1934) for as many independent pairs as the smaller class has.
    """
    from scipy.special import expit, logit, ndtri
    from scipy.stats import rankdata

    few = min(len(supported), len(hallucinated))
    if not few:
        return None
    ranks = rankdata(np.concatenate([supported, hallucinated]))
    over = (ranks[: len(supported)] - rankdata(supported)) / len(hallucinated)
    under = 1 - (ranks[len(supported) :] - rankdata(hallucinated)) / len(supported)
    value = float(np.mean(over))
    if few == 1 or value in (0.0, 1.0):
        reach = float(((1 - level) / 2) ** (1 / few))
        low, high = (reach if value == 1 else 0.0), (1 - reach if value == 0 else 1.0)
        return Estimate(value=value, low=low, high=high, level=level, method="Clopper-Pearson")
    error = np.sqrt(np.var(over, ddof=1) / len(supported) + np.var(under, ddof=1) / len(hallucinated))
    half = ndtri((1 + level) / 2) * error / (value * (1 - value))
    low, high = (float(expit(logit(value) + side * half)) for side in (-1, 1))
    return Estimate(value=value, low=low, high=high, level=level, method="DeLong, logit scale")


def balanced_accuracy(supported: FloatArray, hallucinated: FloatArray, threshold: float) -> float | None:
    """The mean of the classes' shares on their own side: below the threshold is hallucinated. Null where a class is empty."""
    if not len(supported) or not len(hallucinated):
        return None
    return float(np.mean(supported >= threshold) + np.mean(hallucinated < threshold)) / 2


def best_threshold(supported: FloatArray, hallucinated: FloatArray) -> Threshold | None:
    """The best of all thresholds midway between neighbouring values; null where a class is empty.

    Optimistic, for it has seen the labels.
    """
    if not len(supported) or not len(hallucinated):
        return None
    values = np.unique(np.concatenate([supported, hallucinated]))
    thresholds = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2])
    kept = 1 - np.searchsorted(np.sort(supported), thresholds) / len(supported)
    found = np.searchsorted(np.sort(hallucinated), thresholds) / len(hallucinated)
    best = int(np.argmax(kept + found))
    return Threshold(float(thresholds[best]), float(kept[best] + found[best]) / 2)
