"""How many labels are still worth having: what more of them would bring to a calibration.

Knows the interval of its balanced accuracy and its resampled curves. Knows nothing of how they were fitted.
"""

from collections.abc import Sequence

import numpy as np

from evals.comparison import Estimate, Measured
from evals.grounding.judgements import Curves, Sample
from evals.scores import FloatArray

REGRET = 0.005
"""Balanced accuracy that is not worth more labels."""


class Worth(Measured):
    """What further labels of the same kind would bring."""

    half_width: float
    """Of the 95 % interval of balanced accuracy, now."""
    to_halve: int
    """Labels that would halve it: it shrinks with the root of their number, so three times as many again."""
    regret: float
    """Balanced accuracy that the threshold loses, on average, for having been fitted to so few: found by resampling."""
    to_settle: int
    """Labels that would bring it down to `REGRET`, if it falls with the root of their number, as it was seen to in simulation. It falls
    with the number itself where a curve has two coefficients, and more slowly where it is free to bend (Brunk, 1970)."""


def worth(sample: Sample, separated: Estimate, drawn: Sequence[Curves]) -> Worth:
    """From the interval of balanced accuracy, and from what resampled curves would lose if the sample's own were the truth."""
    truth = sample.probabilities(sample.curves())
    weights, n = sample.weights, len(truth)

    def accuracy(probability: FloatArray) -> float:
        kept = probability >= sample.share
        return float(np.average(kept, weights=weights * truth) + np.average(~kept, weights=weights * (1 - truth))) / 2

    regret = accuracy(truth) - float(np.mean([accuracy(sample.probabilities(curves)) for curves in drawn]))
    return Worth(
        half_width=(separated.high - separated.low) / 2,
        to_halve=3 * n,
        regret=max(0.0, regret),
        to_settle=max(0, round(n * ((max(0.0, regret) / REGRET) ** 2 - 1))),
    )
