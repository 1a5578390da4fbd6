"""Whether B differs from A, looked at after every case, without paying for having looked.

Knows a stream of bounded differences. Knows nothing of metrics, of who looks, or of what is done when it is known.
"""

import math
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from evals.comparison import Estimate
from evals.scores import FloatArray

_BETS = np.array([0.1, 0.2, 0.4, 0.6, 0.8, 0.99])
"""Shares of what can be lost without ruin: small ones find small or rare differences, large ones clear differences soon.
Adaptive bets (aGRAPA, up to .9) were surer sooner of F1 differences of .1, by a median of 52 cases to 69, and later of binary
differences of .05, by 616 to 460."""


class Sequential:
    """A test of "the mean difference is 0" that holds at whatever moment one stops (Waudby-Smith & Ramdas 2024, by betting).

    Two gamblers start with 1 each and bet constant shares on every next difference, one that the mean is above 0, one that
    it is below. If it is 0, their mean wealth ever exceeds `1 / alpha` with probability at most `alpha` (Ville 1939),
    whatever the shape of the differences. It asks only that differences lie within -1 and 1 and come in an order that does not
    depend on them, such as a random one, from independent units: where cases share a document, one value is a document's mean.
    """

    def __init__(self, alpha: float = 0.05) -> None:
        if not 0 < alpha < 1:
            raise ValueError(f"alpha lies between 0 and 1, and is {alpha}")
        self._alpha = alpha
        self._differences: list[float] = []
        self._growth = np.zeros((2, len(_BETS)))
        self._evidence = 0.0
        self._decided: Literal["better", "worse"] | None = None

    def observe(self, difference: float) -> None:
        """Takes the next unit's B minus A. Raises `ValueError` where it is not a number within -1 and 1."""
        if not -1 <= difference <= 1:
            raise ValueError(f"a difference lies within -1 and 1, and is {difference}")
        self._differences.append(difference)
        self._growth += growth(difference)
        above, below = wealth(self._growth)
        self._evidence = max(self._evidence, hedged(above, below))
        if self._decided is None and self._evidence >= -math.log(self._alpha):
            self._decided = "better" if above > below else "worse"

    @property
    def observed(self) -> int:
        """Units."""
        return len(self._differences)

    @property
    def p(self) -> float:
        """Of "the mean is 0", from the strongest evidence so far: it never rises, and is at most `alpha` once decided."""
        return math.exp(-self._evidence)

    @property
    def decided(self) -> Literal["better", "worse"] | None:
        """The direction of the mean when `p` first was at most `alpha`; it stays."""
        return self._decided

    def equivalent(self, margin: float) -> bool:
        """Whether the mean is known to lie within -margin and margin: two one-sided tests, each at `alpha`.

        Its error is at most `alpha` for the whole stream, as that of `decided` is; they are two questions.
        """
        if not 0 < margin < 1:
            raise ValueError(f"a margin lies between 0 and 1, and is {margin}")
        above, below = self._wealth(-margin)[0], self._wealth(margin)[1]
        return bool(min(above, below) >= -math.log(self._alpha))

    def interval(self, level: float = 0.95) -> Estimate:
        """The mean so far, and all means that are not refuted: with probability `level`, every such interval of a stream holds the mean.

        Raises `ValueError` before the first difference.
        """
        return interval(self._differences, level)

    def _wealth(self, mean: float) -> FloatArray:
        return wealth(growth(self._differences, mean).sum(axis=0))


class Excess:
    """A test of "the mean difference is at most `margin`" that holds at whatever moment one stops: the first of the two gamblers alone.

    It asks of the differences what `Sequential` does; their mean may change on the way, as long as it stays within the margin.
    """

    def __init__(self, margin: float, alpha: float) -> None:
        if not 0 <= margin < 1:
            raise ValueError(f"a margin lies between 0 and 1, and is {margin}")
        self._margin = margin
        self._alpha = alpha
        self._growth = np.zeros(len(_BETS))
        self._evidence = 0.0

    def observe(self, differences: ArrayLike) -> None:
        """Takes the next units' B minus A, in their order. Raises `ValueError` where one is not a number within -1 and 1."""
        new = np.asarray(differences, dtype=np.float64)
        if not (np.abs(new) <= 1).all():
            raise ValueError("a difference lies within -1 and 1")
        if len(new):
            paths = self._growth + growth(new, self._margin)[:, 0].cumsum(axis=0)
            self._evidence = max(self._evidence, float(wealth(paths).max()))
            self._growth = paths[-1]

    @property
    def p(self) -> float:
        """Of "the mean is at most `margin`", from the strongest evidence so far: it never rises."""
        return math.exp(-self._evidence)

    @property
    def refuted(self) -> bool:
        """Whether `p` was ever at most `alpha`; it stays."""
        return self._evidence >= -math.log(self._alpha)


def interval(differences: Sequence[float], level: float = 0.95) -> Estimate:
    """`Sequential.interval` of all the differences of a stream so far. Raises `ValueError` where there are none."""
    if not len(differences):
        raise ValueError("there is no interval before the first difference")
    mean = float(np.mean(differences))

    def refuted(candidate: float) -> float:
        return hedged(*wealth(growth(differences, candidate).sum(axis=0))) + math.log(1 - level)

    return Estimate(
        value=mean,
        low=_end(refuted, mean, -1),
        high=_end(refuted, mean, 1),
        level=level,
        method="confidence sequence by betting",
    )


def growth(differences: ArrayLike, mean: float = 0.0) -> FloatArray:
    """What each bet's log wealth gains from each of `differences` (...) if the mean is `mean`: (..., 2, bets), above and below.

    A bet is a share of the largest that cannot ruin, `1 / (1 + mean)` above and `1 / (1 - mean)` below.
    """
    off = np.asarray(differences, dtype=np.float64)[..., None, None] - mean
    signed = np.array([[1 / (1 + mean)], [-1 / (1 - mean)]])
    gains: FloatArray = np.log1p(off * signed * _BETS)
    return gains


def wealth(growth: FloatArray) -> FloatArray:
    """The log of the mean wealth over bets: (..., bets) to (...)."""
    logs: FloatArray = np.logaddexp.reduce(growth, axis=-1) - math.log(len(_BETS))
    return logs


def hedged(above: float, below: float) -> float:
    """The log of the mean wealth of both gamblers."""
    return float(np.logaddexp(above, below) - math.log(2))


def _end(refuted: Callable[[float], float], mean: float, bound: Literal[-1, 1]) -> float:
    """Where `refuted` crosses 0 between the mean and the bound.

    There is one such place: wealth is convex in the candidate, and at the mean no bet has gained anything.
    """
    from scipy.optimize import brentq

    outermost = bound * (1 - 1e-9)
    if refuted(outermost) <= 0:
        return float(bound)
    return float(brentq(refuted, np.clip(mean, -abs(outermost), abs(outermost)), outermost))
