"""How a metric's numbers are written for people: values, signed differences, intervals, probabilities.

Knows units and how many digits are worth showing. Knows no report.
"""

import math

from evals.comparison import Estimate
from evals.scorers.base import Metric

PRICED = 1_000
"""Answers, whose price is shown: of one it is a number with too many zeros."""
_SUFFIX = {"share": "", "binary": " %", "seconds": " s", "dollars": "", "tokens": ""}


def shown(metric: Metric, value: float) -> str:
    """A value with its unit: `0.412`, `41.2 %`, `1.25 s`, `$1.23` (of 1,000 answers), `1,204`."""
    return _number(metric, value, "") + _SUFFIX[metric.unit]


def change(metric: Metric, difference: float) -> str:
    """A difference with its sign and unit: `+0.043`, `+4.3 points` (of a percentage), `-0.25 s`, `+$0.12`, `-38.0`."""
    return _number(metric, difference, "+" if difference else "") + {**_SUFFIX, "binary": " points"}[metric.unit]


def between(metric: Metric, estimate: Estimate | None) -> str:
    """The bounds of a value: `41.2 % to 48.0 %`."""
    if estimate is None or not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return "unknown"
    return f"{shown(metric, estimate.low)} to {shown(metric, estimate.high)}"


def interval(metric: Metric, estimate: Estimate) -> str:
    """The bounds of a difference, in the unit of the `change` it stands behind: `[+0.012, +0.075]`."""
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return "[unknown]"
    low, high = (_number(metric, end, "+" if end else "") for end in (estimate.low, estimate.high))
    return f"[{low}, {high}]"


def bounds(metric: Metric, estimate: Estimate) -> str:
    """The same in words: `+0.012 to +0.075`."""
    return interval(metric, estimate).strip("[]").replace(", ", " to ")


def probability(p: float) -> str:
    """A p or q value behind its letter: `< .001`, `.008`, `.23`, `> .99`, or `unknown`."""
    if not math.isfinite(p):
        return "unknown"
    if p < 0.001:
        return "< .001"
    if p > 0.99:
        return "> .99"
    return f"{p:.3f}"[1:] if p < 0.1 else f"{p:.2f}"[1:]


def level(alpha: float) -> str:
    """What a p value is held against, not rounded away from it: `.05`, `.0125`."""
    return f"{alpha:.3g}".removeprefix("0")


def _number(metric: Metric, value: float, sign: str) -> str:
    if not math.isfinite(value):
        return "unknown"
    match metric.unit:
        case "share":
            return f"{value:{sign}z.3f}"
        case "binary":
            return f"{100 * value:{sign}z.1f}"
        case "seconds":
            return f"{value:{sign}z.{_decimals(value, 3)}f}"
        case "tokens":
            return f"{value:{sign}z,.{_decimals(value, 1)}f}"
        case "dollars":
            value *= PRICED
            digits = f"{value:{sign}z.{max(2, _decimals(value, 9))}f}"
            return digits[: -len(digits.lstrip("+-"))] + "$" + digits.lstrip("+-")


def _decimals(value: float, most: int) -> int:
    """As many as show three significant digits."""
    return min(max(2 - math.floor(math.log10(abs(value))), 0), most) if value else 0
