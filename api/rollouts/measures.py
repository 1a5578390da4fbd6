"""What guardrails measure of one request: an error, a hallucination, its latency, its cost.

Knows the value of a request under each measure, and the caps of values. Knows no arm, and nothing of tests.
"""

import math
from collections.abc import Callable

from api.rollouts.policy import Margin, Relative
from api.rollouts.requests import GIVEN_UP, Request
from evals.scorers.base import Metric
from rag.trace import Outcome, hallucinates

CAP_REQUESTS = 20
"""The control's first requests, whose mean decides a cap. They are not compared."""
CAP_FACTOR = 3
"""The cap is this many times their mean. Twice the latency is then found after 30 to 60 requests; a larger cap takes longer, a smaller
one hides more."""
LEAST_CAP = 1e-9
"""The cap if the control is free: any cost at all is then as bad as can be."""

METRICS = {
    "error": Metric(name="error", label="error rate", better="lower", unit="binary"),
    "hallucination": Metric(name="hallucination", label="hallucination rate", better="lower", unit="binary"),
    "latency": Metric(name="latency", label="latency", better="lower", unit="seconds"),
    "cost": Metric(name="cost", label="cost of 1,000 answers", better="lower", unit="dollars"),
}
FAILED = (Outcome.FAILED, Outcome.TIMED_OUT)
_POLICY_UNITS = {"latency": 1e3, "cost": 1.0}
"""How many of the policy's units are one of the metric's: a policy caps latency in milliseconds."""


def error(request: Request, age: float) -> float | None:
    """1 if the request failed, timed out, or was abandoned by its process. One whose reader left does not count."""
    if request.outcome is None:
        return 1.0 if age > GIVEN_UP else None
    return math.nan if request.outcome is Outcome.DISCONNECTED else float(request.outcome in FAILED)


def hallucination(request: Request, age: float) -> float | None:
    """1 if the model stated what its passages do not support. Only answers and refusals count."""
    if request.outcome is None:
        return math.nan if age > GIVEN_UP else None
    found = hallucinates(request.outcome, request.ungrounded)
    return math.nan if found is None else float(found)


def latency(request: Request, age: float) -> float | None:
    """Seconds until the request ended, also if its reader left. An abandoned request took infinitely long."""
    if request.outcome is None:
        return math.inf if age > GIVEN_UP else None
    return math.inf if request.total_ms is None else request.total_ms / 1e3


def cost(request: Request, age: float) -> float | None:
    """Dollars, whatever the outcome. A request whose price is not known does not count."""
    if request.outcome is None:
        return math.nan if age > GIVEN_UP else None
    return math.nan if request.cost_nanodollars is None else request.cost_nanodollars / 1e9


MEASURES: dict[str, Callable[[Request, float], float | None]] = {
    "error": error,
    "hallucination": hallucination,
    "latency": latency,
    "cost": cost,
}
"""By guardrail: the value of a request of this age in seconds. Null while it is not known, NaN if the request does not count."""


def policy_cap(name: str, guardrail: Margin | Relative) -> float | None:
    """The cap that a policy sets, in the metric's unit; null if it has to come from the control's first requests."""
    if isinstance(guardrail, Margin):
        return 1.0
    return None if guardrail.cap is None else guardrail.cap / _POLICY_UNITS[name]


def control_cap(mean: float) -> float:
    """The cap that follows from the mean of the control's first requests."""
    return max(CAP_FACTOR * mean, LEAST_CAP)
