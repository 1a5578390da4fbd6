"""Whether the candidate is worse than its margins allow: sequential tests that stay valid after every look.

Knows which requests are compared with which. Knows nothing of where requests come from, or what a breach leads to.
"""

import math
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from api.rollouts.first_requests import FirstRequests
from api.rollouts.measures import CAP_REQUESTS, MEASURES, METRICS, control_cap, policy_cap
from api.rollouts.policy import Kind, Margin, Observation, Policy, Relative
from api.rollouts.requests import GIVEN_UP, Request, first_id
from api.rollouts.state import Arm
from evals import format
from evals.comparison import Estimate
from evals.stats.sequential import Excess, interval
from rag.figures import counted


class GuardrailTest:
    """A sequential test of one guardrail: is the candidate worse than the control by more than the margin?

    Order: requests are looked at in the order they came, up to the first whose value is not known yet. Otherwise slow answers
    would be looked at late because they are slow.

    Blocks: a block ends with the first request by which it has both arms; in a shadow rollout, each copy is compared with its
    original. The difference of a block's means has the difference of the arms as its expectation, at any share of traffic, even
    a changing one. The test bets on how far that difference exceeds the margin.

    Cap: a relative margin compares the candidate with (1 + margin) times the control, of values up to a cap, because bets need
    bounded values.

    Only requests that wait for others are kept; of the rest, the test keeps what its bets have won.
    """

    def __init__(self, name: str, guardrail: Margin | Relative, policy: Policy, alpha: float, *, interval: bool) -> None:
        self.name = name
        self.guardrail = guardrail
        self.alpha = alpha
        """This guardrail's share of the policy's alpha."""
        self.last = ""
        """The id of the last request that was looked at."""
        self.missing = 0
        """Requests that did not count."""
        self.comparisons = 0
        """The number of blocks, or of pairs in a shadow rollout."""
        self.cap = policy_cap(name, guardrail)
        self.differences = array("d") if interval else None
        """Candidate minus control of each block, as a share of the cap; only an interval needs them."""
        self.excesses = array("d") if interval and isinstance(guardrail, Relative) else self.differences
        """What the test bets on, in each block."""
        self._margin = 0.0 if isinstance(guardrail, Relative) else guardrail.margin
        self._test = Excess(self._margin, alpha)
        self._measure = MEASURES[name]
        self._paired = policy.kind is Kind.SHADOW
        self._originals: dict[str, float] = {}
        self._first_of_control = _Mean()
        self._block = {arm: _Mean() for arm in Arm}
        self._all = {arm: _Mean() for arm in Arm}

    @property
    def p(self) -> float:
        """The p-value of "the candidate is within the margin"; it never rises."""
        return self._test.p

    @property
    def breached(self) -> bool:
        return self._test.refuted

    @property
    def difference(self) -> Estimate | None:
        """Candidate minus control in the metric's unit, with a confidence sequence; null before the first block."""
        if not self.differences:
            return None
        found = interval(self.differences)
        capped = isinstance(self.guardrail, Relative)
        method = (
            f"{found.method}, of values up to {format.shown(METRICS[self.name], self._known_cap)}" if capped else found.method
        )
        ends = {end: getattr(found, end) * self._known_cap for end in ("value", "low", "high")}
        return found.model_copy(update={**ends, "method": method})

    @property
    def held(self) -> bool:
        """Whether the candidate is known to be within the margin: the whole confidence sequence of the excess lies below it."""
        return self.excesses is not None and len(self.excesses) > 0 and interval(self.excesses).high < self._margin

    @property
    def awaited(self) -> str:
        """The requests without which nothing is compared yet, as text."""
        if self.cap is None:
            lacking = counted(CAP_REQUESTS - self._first_of_control.n, "more request")
            return f"{lacking} of the control, which show how large a usual value is"
        return "a copy beside its original" if self._paired else "requests of both arms"

    @property
    def allowed(self) -> str:
        """The margin as text: `5.0 points`, `20 %`."""
        if isinstance(self.guardrail, Relative):
            return f"{100 * self.guardrail.margin:g} %"
        return format.change(METRICS[self.name], self.guardrail.margin).removeprefix("+")

    @property
    def summary(self) -> str:
        """How the arms compare, as text."""
        metric = METRICS[self.name]
        candidate, control = (format.shown(metric, self.mean(arm) or 0.0) for arm in (Arm.CANDIDATE, Arm.CONTROL))
        p = format.probability(self.p)
        return f"{metric.label} {candidate} against {control}: more than {self.allowed} above ({counted(self.comparisons, 'comparison')}, p {p})"

    def mean(self, arm: Arm) -> float | None:
        """The mean of an arm's requests that count, without the cap; null if there are none."""
        return self._all[arm].value if self._all[arm].n else None

    def look(self, requests: Sequence[Request], now: float, excluded: Collection[str] = ()) -> None:
        """Take the next requests. Those that were looked at before are skipped, and the `excluded` ids do not count.

        `now` is in seconds since 1970.
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
            if request.id not in excluded and (block := self._add(request, value)):
                blocks.append(block)
        self._compare(blocks)
        if self._originals and began:
            # A copy begins when its original ends, or never: older originals no longer wait for one.
            oldest = first_id(began, -2 * GIVEN_UP)
            self._originals = {id: share for id, share in self._originals.items() if id >= oldest}

    def _add(self, request: Request, value: float) -> tuple[float, float] | None:
        """The means of control and candidate, as shares of the cap, if the request ends a block."""
        if math.isnan(value):
            self.missing += 1
            return None
        if math.isfinite(value):
            self._all[request.arm].add(value)
        if self.cap is None:
            self._find_cap(request.arm, value)
            return None
        share = min(value / self.cap, 1.0)
        if self._paired:
            return self._pair(request, share)
        self._block[request.arm].add(share)
        control, candidate = (self._block[arm] for arm in (Arm.CONTROL, Arm.CANDIDATE))
        if not (control.n and candidate.n):
            return None
        self._block = {arm: _Mean() for arm in Arm}
        return control.value, candidate.value

    def _find_cap(self, arm: Arm, value: float) -> None:
        """The cap is decided before the first value that it applies to, so that no value decides its own cap."""
        if arm is Arm.CONTROL and math.isfinite(value):
            self._first_of_control.add(value)
        if self._first_of_control.n == CAP_REQUESTS:
            self.cap = control_cap(self._first_of_control.value)

    def _pair(self, request: Request, share: float) -> tuple[float, float] | None:
        if request.arm is Arm.CONTROL:
            self._originals[request.id] = share
            return None
        original = self._originals.pop(request.shadow_of or "", None)
        return None if original is None else (original, share)

    def _compare(self, blocks: Sequence[tuple[float, float]]) -> None:
        above = 1 + (self.guardrail.margin if isinstance(self.guardrail, Relative) else 0.0)
        self.comparisons += len(blocks)
        excesses = [(candidate - above * control) / above for control, candidate in blocks]
        self._test.observe(excesses)
        if self.differences is not None:
            self.differences.extend(candidate - control for control, candidate in blocks)
        if self.excesses is not None and self.excesses is not self.differences:
            self.excesses.extend(excesses)

    @property
    def _known_cap(self) -> float:
        assert self.cap is not None
        return self.cap


class GuardrailTests:
    """The tests of all guardrails of a rollout, which share alpha. Iterating yields each test.

    `intervals` keeps the differences of all blocks, from which intervals are made.
    """

    def __init__(self, policy: Policy, *, intervals: bool = False) -> None:
        enabled = {} if policy.kind is Kind.BLUE_GREEN else policy.guardrails.enabled
        self._tests = [
            GuardrailTest(name, guardrail, policy, policy.alpha / len(enabled), interval=intervals)
            for name, guardrail in enabled.items()
        ]
        self._first_requests = FirstRequests() if enabled and policy.observation is Observation.UNIT else None

    def __iter__(self) -> Iterator[GuardrailTest]:
        return iter(self._tests)

    def __len__(self) -> int:
        return len(self._tests)

    @property
    def last(self) -> str:
        """The id of the last request that all tests have looked at; empty before the first."""
        return min((test.last for test in self._tests), default="")

    def look(self, portions: Iterable[Sequence[Request]], now: float) -> None:
        """Take the requests above `last`, in order, until every test waits for one. `now` is in seconds since 1970."""
        self._look(self._tests, portions, now)

    def resume(self, above: Callable[[str], Iterable[Sequence[Request]]], now: float) -> None:
        """As `look`, but continue each test from its own last request; `above(id)` reads the portions above an id ("" for all).

        While one test waits for a request to end, the others need not read again what they have looked at.
        """
        by_last: dict[str, list[GuardrailTest]] = {}
        for test in self._tests:
            by_last.setdefault(test.last, []).append(test)
        for last in sorted(by_last):
            self._look(by_last[last], above(last), now)

    def _look(self, tests: list[GuardrailTest], portions: Iterable[Sequence[Request]], now: float) -> None:
        for portion in portions:
            later = self._first_requests.later(portion) if self._first_requests else ()
            for test in tests:
                test.look(portion, now, later)
            # A test that waits for a request to end must not see what came after it.
            tests = [test for test in tests if test.last >= portion[-1].id]
            if self._first_requests:
                self._first_requests.forget_ids(self.last)
            if not tests:
                return


class _Mean:
    """A running mean."""

    def __init__(self) -> None:
        self.n = 0
        self.total = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value

    @property
    def value(self) -> float:
        """The mean of at least one value."""
        return self.total / self.n
