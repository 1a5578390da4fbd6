"""Whether the candidate is worse than its margins allow, looked at after every request, without paying for having looked.

Knows what counts as an error, a hallucination, a time and a cost, and which requests are set against which. Knows nothing of where
requests come from, or of what a breach leads to.
"""

import math
from collections.abc import Callable, Sequence

from api.rollouts.policy import Kind, Margin, Observation, Policy, Relative
from api.rollouts.requests import GIVEN_UP, Request
from api.rollouts.state import Arm
from evals import format
from evals.comparison import Estimate
from evals.scorers.base import Metric
from evals.stats.sequential import Excess, interval
from rag.trace import Outcome

FIRST = 20
"""Requests of the control that a cap is taken from, and that are compared no more."""
TIMES = 3
"""Their mean, for the cap. Twice the latency is then known after 30 to 60 requests; a larger cap takes longer, a smaller one hides more."""

LEAST = 1e-9
"""A cap, where the control has been free: all that is not is then as bad as can be."""

METRICS = {
    "error": Metric(name="error", label="error rate", better="lower", unit="binary"),
    "hallucination": Metric(name="hallucination", label="hallucination rate", better="lower", unit="binary"),
    "latency": Metric(name="latency", label="latency", better="lower", unit="seconds"),
    "cost": Metric(name="cost", label="cost", better="lower", unit="dollars"),
}
_UNIT = {"latency": 1e3, "cost": 1.0}
"""What a policy's cap is divided by."""

FAILED = (Outcome.FAILED, Outcome.TIMED_OUT)
ENDED_WELL = (Outcome.ANSWERED, Outcome.REFUSED)


def error(request: Request, age: float) -> float | None:
    """Failed, timed out, or abandoned by its process. A reader who left says nothing."""
    if request.outcome is None:
        return 1.0 if age > GIVEN_UP else None
    return math.nan if request.outcome is Outcome.DISCONNECTED else float(request.outcome in FAILED)


def hallucination(request: Request, age: float) -> float | None:
    """Whether the model claimed what its passages do not support, withheld or not; only of requests that ended with an answer or refusal."""
    if request.outcome is None:
        return math.nan if age > GIVEN_UP else None
    return float(request.ungrounded > 0) if request.outcome in ENDED_WELL else math.nan


def latency(request: Request, age: float) -> float | None:
    """Seconds; of a reader who left, until then. What was abandoned took for ever."""
    if request.outcome is None:
        return math.inf if age > GIVEN_UP else None
    return math.inf if request.total_ms is None else request.total_ms / 1e3


def cost(request: Request, age: float) -> float | None:
    """Dollars, whatever came of it; missing where a price is not known."""
    if request.outcome is None:
        return math.nan if age > GIVEN_UP else None
    return math.nan if request.cost_nanodollars is None else request.cost_nanodollars / 1e9


MEASURES: dict[str, Callable[[Request, float], float | None]] = {
    "error": error,
    "hallucination": hallucination,
    "latency": latency,
    "cost": cost,
}
"""Each null while it is not known, and NaN where the request does not count."""


class Watch:
    """One guardrail over the requests of one rollout.

    Requests are looked at in the order they came, up to the first whose value is not known yet: a slow answer must not be looked at
    late because it is bad. They fall into blocks, each of which ends with the first request by which it has both arms; or, of a
    shadow, each copy is set against its original. The difference of a block's means has, whatever the share of traffic and however it
    changes, the difference of the arms as its mean: its excess over the margin is tested by betting.

    Of a relative margin the difference is between the candidate and the control with the margin, of values up to a cap: what is tested
    is "no more than 1 + margin times the control's, at whatever cap".
    """

    def __init__(self, name: str, guardrail: Margin | Relative, policy: Policy, alpha: float) -> None:
        self.name = name
        self.guardrail = guardrail
        self.alpha = alpha
        """This guardrail's part of the policy's."""
        self.last = ""
        """The id of the last request that was looked at."""
        self.missing = 0
        """Requests that did not count."""
        self.cap = _cap(name, guardrail)
        self.blocks: list[tuple[float, float]] = []
        """The means of control and candidate, as shares of the cap."""
        self._test = Excess(0 if isinstance(guardrail, Relative) else guardrail.margin, alpha)
        self._measure = MEASURES[name]
        self._paired = policy.kind is Kind.SHADOW
        self._units: set[tuple[Arm, str]] | None = set() if policy.observation is Observation.UNIT else None
        self._originals: dict[str, float] = {}
        self._first: list[float] = []
        self._open: dict[Arm, list[float]] = {arm: [] for arm in Arm}
        self._seen: dict[Arm, list[float]] = {arm: [0, 0.0] for arm in Arm}

    @property
    def p(self) -> float:
        """Of "the candidate is within the margin"; it never rises."""
        return self._test.p

    @property
    def breached(self) -> bool:
        return self._test.refuted

    @property
    def difference(self) -> Estimate | None:
        """Candidate minus control, in the metric's unit, with a confidence sequence; null before the first block."""
        if not self.blocks:
            return None
        found = interval([candidate - control for control, candidate in self.blocks])
        capped = isinstance(self.guardrail, Relative)
        method = f"{found.method}, of values up to {format.shown(METRICS[self.name], self._cap)}" if capped else found.method
        ends = {end: getattr(found, end) * self._cap for end in ("value", "low", "high")}
        return found.model_copy(update={**ends, "method": method})

    def mean(self, arm: Arm) -> float | None:
        """Of all requests of an arm that were looked at and count, without a cap; null where there are none."""
        n, total = self._seen[arm]
        return total / n if n else None

    def look(self, requests: Sequence[Request], now: float) -> None:
        """Takes the next requests; those that were looked at are passed over. `now` in seconds since 1970."""
        before = len(self.blocks)
        for request in requests:
            if request.id <= self.last:
                continue
            age = request.age(now) if request.outcome is None else 0.0
            value = self._measure(request, age)
            if value is None and self.name == "latency" and self.cap is not None and age >= self.cap:
                value = age
            if value is None:
                break
            self.last = request.id
            self._take(request, value)
        margin = self.guardrail.margin if isinstance(self.guardrail, Relative) else 0.0
        self._test.observe([(candidate - (1 + margin) * control) / (1 + margin) for control, candidate in self.blocks[before:]])

    def told(self) -> str:
        """How the arms compare, for people."""
        metric = METRICS[self.name]
        candidate, control = (format.shown(metric, self.mean(arm) or 0.0) for arm in (Arm.CANDIDATE, Arm.CONTROL))
        p = format.probability(self.p)
        return f"{metric.label} {candidate} against {control}: more than {self.allowed} above ({len(self.blocks)} comparisons, p {p})"

    @property
    def allowed(self) -> str:
        """The margin, for people."""
        if isinstance(self.guardrail, Relative):
            return f"{100 * self.guardrail.margin:g} %"
        return format.change(METRICS[self.name], self.guardrail.margin).removeprefix("+")

    def _take(self, request: Request, value: float) -> None:
        if self._units is not None and request.unit is not None:
            if (request.arm, request.unit) in self._units:
                return
            self._units.add((request.arm, request.unit))
        if math.isnan(value):
            self.missing += 1
            return
        if math.isfinite(value):
            self._seen[request.arm][0] += 1
            self._seen[request.arm][1] += value
        if self.cap is None:
            self._note_first(request.arm, value)
        elif self._paired:
            self._pair(request, self._shared(value))
        else:
            self._open[request.arm].append(self._shared(value))
            if all(self._open.values()):
                self.blocks.append((_mean(self._open[Arm.CONTROL]), _mean(self._open[Arm.CANDIDATE])))
                self._open = {arm: [] for arm in Arm}

    def _note_first(self, arm: Arm, value: float) -> None:
        """The cap is decided before the first value that it applies to."""
        if arm is Arm.CONTROL and math.isfinite(value):
            self._first.append(value)
        if len(self._first) == FIRST:
            self.cap = max(TIMES * _mean(self._first), LEAST)

    def _pair(self, request: Request, share: float) -> None:
        if request.arm is Arm.CONTROL:
            self._originals[request.id] = share
        elif (original := self._originals.pop(request.shadow_of or "", None)) is not None:
            self.blocks.append((original, share))

    def _shared(self, value: float) -> float:
        return min(value / self._cap, 1.0)

    @property
    def _cap(self) -> float:
        assert self.cap is not None
        return self.cap


def watches(policy: Policy) -> list[Watch]:
    """One for each guardrail; they share alpha."""
    watched = policy.guardrails.watched
    return [Watch(name, guardrail, policy, policy.alpha / len(watched)) for name, guardrail in watched.items()]


def _cap(name: str, guardrail: Margin | Relative) -> float | None:
    """In the metric's unit; null where it is yet to be taken from the control."""
    if isinstance(guardrail, Margin):
        return 1.0
    return None if guardrail.cap is None else guardrail.cap / _UNIT[name]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
