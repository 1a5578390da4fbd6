"""Whether the candidate is worse than its margins allow, looked at after every request, without paying for having looked.

Knows what counts as an error, a hallucination, a time and a cost, and which requests are set against which. Knows nothing of where
requests come from, or of what a breach leads to.
"""

import math
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from api.rollouts.policy import Kind, Margin, Observation, Policy, Relative
from api.rollouts.requests import GIVEN_UP, Request, first_id
from api.rollouts.state import Arm
from evals import format
from evals.comparison import Estimate
from evals.scorers.base import Metric
from evals.stats.sequential import Excess, interval
from rag.trace import Outcome, hallucinates

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


def error(request: Request, age: float) -> float | None:
    """Failed, timed out, or abandoned by its process. A reader who left says nothing."""
    if request.outcome is None:
        return 1.0 if age > GIVEN_UP else None
    return math.nan if request.outcome is Outcome.DISCONNECTED else float(request.outcome in FAILED)


def hallucination(request: Request, age: float) -> float | None:
    """Whether the model stated what its passages do not support; only of requests that ended in an answer or a refusal."""
    if request.outcome is None:
        return math.nan if age > GIVEN_UP else None
    found = hallucinates(request.outcome, request.ungrounded)
    return math.nan if found is None else float(found)


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

    A test needs of the past what its bets have won; of the requests only those are kept that wait for others.
    """

    def __init__(self, name: str, guardrail: Margin | Relative, policy: Policy, alpha: float, *, interval: bool) -> None:
        self.name = name
        self.guardrail = guardrail
        self.alpha = alpha
        """This guardrail's part of the policy's."""
        self.last = ""
        """The id of the last request that was looked at."""
        self.missing = 0
        """Requests that did not count."""
        self.comparisons = 0
        """Blocks."""
        self.cap = _cap(name, guardrail)
        self.differences = array("d") if interval else None
        """Of the blocks, candidate minus control as a share of the cap: no interval does without them."""
        self._test = Excess(0 if isinstance(guardrail, Relative) else guardrail.margin, alpha)
        self._measure = MEASURES[name]
        self._paired = policy.kind is Kind.SHADOW
        self._originals: dict[str, float] = {}
        self._first = _Sum()
        self._open = {arm: _Sum() for arm in Arm}
        self._seen = {arm: _Sum() for arm in Arm}

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
        if not self.differences:
            return None
        found = interval(self.differences)
        capped = isinstance(self.guardrail, Relative)
        method = f"{found.method}, of values up to {format.shown(METRICS[self.name], self._cap)}" if capped else found.method
        ends = {end: getattr(found, end) * self._cap for end in ("value", "low", "high")}
        return found.model_copy(update={**ends, "method": method})

    def mean(self, arm: Arm) -> float | None:
        """Of all requests of an arm that were looked at and count, without a cap; null where there are none."""
        return self._seen[arm].mean if self._seen[arm].n else None

    def look(self, requests: Sequence[Request], now: float, repeated: Collection[str] = ()) -> None:
        """Takes the next requests; those that were looked at are passed over. `now` in seconds since 1970.

        The ids that are `repeated` do not count.
        """
        blocks: list[tuple[float, float]] = []
        began = ""
        for request in requests:
            if request.id <= self.last:
                continue
            age = request.age(now) if request.outcome is None else 0.0
            value = self._measure(request, age)
            if value is None and self.name == "latency" and self.cap is not None and age >= self.cap:
                value = age
            if value is None:
                break
            self.last, began = request.id, request.created_at
            if request.id not in repeated and (block := self._take(request, value)):
                blocks.append(block)
        self._compare(blocks)
        if self._originals and began:
            # A copy begins when its original has ended, or not at all.
            oldest = first_id(began, -2 * GIVEN_UP)
            self._originals = {id: share for id, share in self._originals.items() if id >= oldest}

    def told(self) -> str:
        """How the arms compare, for people."""
        metric = METRICS[self.name]
        candidate, control = (format.shown(metric, self.mean(arm) or 0.0) for arm in (Arm.CANDIDATE, Arm.CONTROL))
        p = format.probability(self.p)
        return f"{metric.label} {candidate} against {control}: more than {self.allowed} above ({self.comparisons} comparisons, p {p})"

    @property
    def allowed(self) -> str:
        """The margin, for people."""
        if isinstance(self.guardrail, Relative):
            return f"{100 * self.guardrail.margin:g} %"
        return format.change(METRICS[self.name], self.guardrail.margin).removeprefix("+")

    def _take(self, request: Request, value: float) -> tuple[float, float] | None:
        """The means of control and candidate, as shares of the cap, where the request ends a block."""
        if math.isnan(value):
            self.missing += 1
            return None
        if math.isfinite(value):
            self._seen[request.arm].add(value)
        if self.cap is None:
            self._note_first(request.arm, value)
            return None
        if self._paired:
            return self._pair(request, self._shared(value))
        self._open[request.arm].add(self._shared(value))
        control, candidate = (self._open[arm] for arm in (Arm.CONTROL, Arm.CANDIDATE))
        if not (control.n and candidate.n):
            return None
        self._open = {arm: _Sum() for arm in Arm}
        return control.mean, candidate.mean

    def _compare(self, blocks: Sequence[tuple[float, float]]) -> None:
        above = 1 + (self.guardrail.margin if isinstance(self.guardrail, Relative) else 0.0)
        self.comparisons += len(blocks)
        self._test.observe([(candidate - above * control) / above for control, candidate in blocks])
        if self.differences is not None:
            self.differences.extend(candidate - control for control, candidate in blocks)

    def _note_first(self, arm: Arm, value: float) -> None:
        """The cap is decided before the first value that it applies to."""
        if arm is Arm.CONTROL and math.isfinite(value):
            self._first.add(value)
        if self._first.n == FIRST:
            self.cap = max(TIMES * self._first.mean, LEAST)

    def _pair(self, request: Request, share: float) -> tuple[float, float] | None:
        if request.arm is Arm.CONTROL:
            self._originals[request.id] = share
            return None
        original = self._originals.pop(request.shadow_of or "", None)
        return None if original is None else (original, share)

    def _shared(self, value: float) -> float:
        return min(value / self._cap, 1.0)

    @property
    def _cap(self) -> float:
        assert self.cap is not None
        return self.cap


class Watches:
    """All guardrails of a rollout: they share alpha, and which users were counted.

    `intervals` keeps the differences of all blocks.
    """

    def __init__(self, policy: Policy, *, intervals: bool = False) -> None:
        watched = {} if policy.kind is Kind.BLUE_GREEN else policy.guardrails.watched
        self._watches = [
            Watch(name, guardrail, policy, policy.alpha / len(watched), interval=intervals) for name, guardrail in watched.items()
        ]
        self._users: dict[Arm, set[str]] = {arm: set() for arm in Arm}
        """Of the requests that all have looked at: a user's next request may come at any time, so that none can be forgotten."""
        self._first: dict[tuple[Arm, str], str] = {}
        """Of the requests that some have looked at, or were shown in vain: each user with the id of the first."""
        self._kept = ""
        self._by_user = bool(self._watches) and policy.observation is Observation.UNIT

    def __iter__(self) -> Iterator[Watch]:
        return iter(self._watches)

    def __len__(self) -> int:
        return len(self._watches)

    @property
    def last(self) -> str:
        """The id of the last request that all have looked at; empty before the first."""
        return min((watch.last for watch in self._watches), default="")

    def look(self, portions: Iterable[Sequence[Request]], now: float) -> None:
        """Takes the requests above `last`, in their order, as far as any guardrail can. `now` in seconds since 1970."""
        self._show(self._watches, portions, now)

    def resume(self, above: Callable[[str], Iterable[Sequence[Request]]], now: float) -> None:
        """As `look`, each guardrail from where it is; `above` has the portions above an id, or all for an empty one.

        Where one waits for a request to end, the others would else read again and again what they have looked at.
        """
        places: dict[str, list[Watch]] = {}
        for watch in self._watches:
            places.setdefault(watch.last, []).append(watch)
        for last in sorted(places):
            self._show(places[last], above(last), now)

    def _show(self, ready: list[Watch], portions: Iterable[Sequence[Request]], now: float) -> None:
        for portion in portions:
            repeated = self._repeated(portion) if self._by_user else ()
            for watch in ready:
                watch.look(portion, now, repeated)
            # One that waits for a request to end must not be shown what came later.
            ready = [watch for watch in ready if watch.last >= portion[-1].id]
            self._keep()
            if not ready:
                return

    def _repeated(self, portion: Sequence[Request]) -> set[str]:
        """The ids of those whose user has asked the arm before."""
        return {
            request.id
            for request in portion
            if request.unit is not None
            and (
                request.unit in self._users[request.arm]
                or self._first.setdefault((request.arm, request.unit), request.id) != request.id
            )
        }

    def _keep(self) -> None:
        """Of the users that are not above `last` any more, only who they are."""
        last = self.last
        if last == self._kept:
            return
        for (arm, unit), id in self._first.items():
            if id <= last:
                self._users[arm].add(unit)
        self._first = {user: id for user, id in self._first.items() if id > last}
        self._kept = last


class _Sum:
    """Of numbers that are not kept."""

    def __init__(self) -> None:
        self.n = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        """One more."""
        self.n += 1
        self.total += value

    @property
    def mean(self) -> float:
        """Of at least one."""
        return self.total / self.n


def _cap(name: str, guardrail: Margin | Relative) -> float | None:
    """In the metric's unit; null where it is yet to be taken from the control."""
    if isinstance(guardrail, Margin):
        return 1.0
    return None if guardrail.cap is None else guardrail.cap / _UNIT[name]
