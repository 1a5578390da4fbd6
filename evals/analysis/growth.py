"""How many pairs would tell what these do not, with the power that `evals plan` plans with.

Knows spreads, margins and power. Knows no finding, and no sentence.
"""

import math

import numpy as np

from evals.scorers.base import Metric
from evals.stats.paired import Pairs, difference, fewest_units
from evals.stats.power import POWER, Assumption, cases_needed, measured, predicted_power

MOST = 20
"""Times as many: beyond that nobody asks them, and the figure is too rough to tell."""


def to_decide(metric: Metric, pairs: Pairs, margin: float, *, level: float, alpha: float) -> int | None:
    """Pairs that find a difference like this one, or that it lies within the margin, whichever takes fewer; null where `MOST` times as
    many would not.

    Within takes both of two one-sided tests, so that each has half of what may be missed.
    """
    seen = abs(float(np.mean(pairs.differences)))
    different = _needed(measured(metric, pairs, ""), pairs, seen, alpha=alpha, power=POWER)
    found = (
        None if different is None else max(different, fewest_units(alpha)),
        _beyond(metric, pairs, margin - seen, alpha=2 * (1 - level), power=(1 + POWER) / 2),
    )
    return min((count for count in found if count is not None), default=None)


def to_tell_from(metric: Metric, pairs: Pairs, margin: float, *, alpha: float) -> int | None:
    """Pairs that tell a mean difference like this one from the margin; null where `MOST` times as many would not."""
    return _beyond(metric, pairs, abs(margin - float(np.mean(pairs.differences))), alpha=alpha, power=POWER)


def _beyond(metric: Metric, pairs: Pairs, distance: float, *, alpha: float, power: float) -> int | None:
    """Pairs whose mean is known to less than the distance."""
    if distance > 0 and not np.ptp(pairs.differences):
        # Of equal differences the interval is as wide as one over their number.
        estimate = difference(pairs, level=1 - alpha)
        return math.ceil(len(pairs.differences) * (estimate.high - estimate.value) / distance)
    spread = measured(metric, pairs, "")
    return _needed(spread and spread.model_copy(update={"discordance": None}), pairs, distance, alpha=alpha, power=power)


def _needed(spread: Assumption | None, pairs: Pairs, effect: float, *, alpha: float, power: float) -> int | None:
    if spread is None or effect <= 0 or predicted_power(spread, effect, MOST * len(pairs.a), alpha=alpha) < power:
        return None
    return cases_needed(spread, effect, power=power, alpha=alpha)
