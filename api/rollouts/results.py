"""The results of a rollout, with their uncertainty: one value, which the page and the command show.

Knows how figures are computed from requests. Knows nothing of how they are shown.
"""

import math
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine, func, select

from api.rollouts.controller import count_candidates, held
from api.rollouts.guardrails import GuardrailTest, GuardrailTests
from api.rollouts.measures import MEASURES, METRICS
from api.rollouts.policy import Kind
from api.rollouts.requests import LATE, Request, first_id, id_at, read
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Arm, Change, Event, Rollout
from evals.comparison import Estimate
from evals.scorers.base import Metric
from rag.ledger.failures import translated
from rag.ledger.schema import feedback, traces
from rag.types import Value

FLAGGED = 0.001
"""A sample ratio with a smaller p is flagged: something loses the users of one arm."""


class Side(Value):
    """One arm. Rates are over the requests that have ended, with 95 % Wilson intervals; null if there are none."""

    variant: str
    requests: int
    running: int
    units: int
    """The number of users, among requests that name one."""
    outcomes: Mapping[str, int]
    error: Estimate | None
    hallucination: Estimate | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    cost: float | None
    """Mean dollars per request whose cost is known."""
    unpriced: int
    """Requests whose cost is not known."""
    spent_nanodollars: int
    """The sum of the known costs."""
    up: int
    """Thumbs up."""
    down: int
    """Thumbs down."""
    business_outcomes: Mapping[str, int]
    """How often readers reported each business outcome, most frequent first."""


class GuardrailResult(Value):
    """The state of one guardrail."""

    metric: Metric
    allowed: str
    """The margin as text: `5.0 points`, `20 %`."""
    state: str
    """`breached`; `held` if the candidate is known to be within the margin; `no breach seen` while that is open; `waiting` for the first
    comparison; or `not known` if no request has a value."""
    awaited: str
    """What it waits for before the first comparison."""
    comparisons: int
    missing: int
    """Requests without a value, for instance those whose price is not known."""
    difference: Estimate | None
    """Candidate minus control in the metric's unit; the interval stays valid however often it is looked at."""
    p: float
    """The p-value of "the candidate is within the margin", by the strongest evidence so far."""
    threshold: float
    """The guardrail is breached if `p` is at or below this."""


class SampleRatio(Value):
    """An exact binomial test of how users are split between the arms, in the last stage that has both."""

    control: int
    candidate: int
    expected: float
    """The candidate's share, from 0 to 1."""
    p: float
    flagged: bool


class Results(Value):
    """Where a rollout stands."""

    rollout: Rollout
    share: float
    """Percent of readers that get the candidate's answer."""
    held_seconds: float
    """Seconds since the last change."""
    answered: int
    """Requests of the candidate that count in this stage of a canary; 0 in any other rollout, and after its end."""
    control: Side
    candidate: Side
    guardrails: tuple[GuardrailResult, ...]
    sample_ratio: SampleRatio | None
    """Null if users are not split, or no request named one."""
    events: tuple[Event, ...]
    """The audit since this rollout was started, oldest first."""


def results(rollouts: Rollouts, name: str) -> Results:
    """Compute the results of a rollout from the ledger. Raises `NotFoundError`."""
    rollout, at = rollouts.get(name), time.time()
    events = tuple(event for event in rollouts.events(name) if event.at >= rollout.created_at)
    share, since = _last_split(rollout, events)
    tallies = {arm: _Tally(since) for arm in Arm}
    tests = GuardrailTests(rollout.policy, intervals=True)

    def counted() -> Iterator[list[Request]]:
        late = id_at(at - LATE)
        for portion in read(rollouts.engine, name, first_id(rollout.created_at), at + LATE):
            for request in portion:
                tallies[request.arm].add(request, at)
            if settled := [request for request in portion if request.id < late]:
                yield settled

    portions = counted()
    tests.look(portions, at)
    for _ in portions:
        pass  # the tests stop at a request that still runs, but all requests are counted
    given = _feedback(rollouts.engine, rollout)
    control, candidate = (_side(rollout.variant(arm), tallies[arm], *given[arm]) for arm in (Arm.CONTROL, Arm.CANDIDATE))
    return Results(
        rollout=rollout,
        share=rollout.share,
        held_seconds=held(rollout, at),
        answered=count_candidates(rollouts, rollout, tests) if _in_stage(rollout) else 0,
        control=control,
        candidate=candidate,
        guardrails=tuple(map(_guardrail_result, tests)),
        sample_ratio=_sample_ratio(share, len(tallies[Arm.CONTROL].split), len(tallies[Arm.CANDIDATE].split)),
        events=events,
    )


class _Tally:
    """Counts the requests of one arm, and from the id `since` on the users of its split."""

    def __init__(self, since: str) -> None:
        self.requests = 0
        self.outcomes: Counter[str] = Counter()
        self.units: set[str] = set()
        self.split: set[str] = set()
        self.rates = {name: Counter[float]() for name in ("error", "hallucination")}
        self.times = array("d")
        self.priced = 0
        self.nanodollars = 0
        self._since = since

    def add(self, request: Request, at: float) -> None:
        """Count a request; `at` is in seconds since 1970."""
        self.requests += 1
        if request.unit:
            self.units.add(request.unit)
            if request.id >= self._since:
                self.split.add(request.unit)
        if request.outcome is None:
            return
        self.outcomes[request.outcome] += 1
        for name, values in self.rates.items():
            value = MEASURES[name](request, at)
            if value is not None and not math.isnan(value):
                values[value] += 1
        if request.outcome.succeeded and request.total_ms is not None:
            self.times.append(request.total_ms)
        if request.cost_nanodollars is not None:
            self.priced += 1
            self.nanodollars += request.cost_nanodollars


def _side(variant: str, tally: _Tally, thumbs: Counter[str], business: Counter[str]) -> Side:
    import numpy as np

    p50, p95 = np.quantile(tally.times, [0.5, 0.95]) if tally.times else (None, None)
    ended = tally.outcomes.total()
    return Side(
        variant=variant,
        requests=tally.requests,
        running=tally.requests - ended,
        units=len(tally.units),
        outcomes=tally.outcomes,
        error=_rate(tally.rates["error"]),
        hallucination=_rate(tally.rates["hallucination"]),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        cost=tally.nanodollars / tally.priced / 1e9 if tally.priced else None,
        unpriced=ended - tally.priced,
        spent_nanodollars=tally.nanodollars,
        up=thumbs["up"],
        down=thumbs["down"],
        business_outcomes=dict(business.most_common()),
    )


def _rate(values: Counter[float]) -> Estimate | None:
    import numpy as np

    from evals.stats.intervals import of_proportion

    return of_proportion(np.repeat((0.0, 1.0), (values[0.0], values[1.0])), level=0.95) if values else None


def _in_stage(rollout: Rollout) -> bool:
    return rollout.policy.kind is Kind.CANARY and not rollout.state.ended


def _state(test: GuardrailTest) -> str:
    if test.breached:
        return "breached"
    if test.comparisons:
        return "held" if test.held else "no breach seen"
    return "not known" if test.missing and not any(map(test.mean, Arm)) else "waiting"


def _guardrail_result(test: GuardrailTest) -> GuardrailResult:
    return GuardrailResult(
        metric=METRICS[test.name],
        allowed=test.allowed,
        state=_state(test),
        awaited="" if test.comparisons else test.awaited,
        comparisons=test.comparisons,
        missing=test.missing,
        difference=test.difference,
        p=test.p,
        threshold=test.alpha,
    )


def _last_split(rollout: Rollout, events: Sequence[Event]) -> tuple[float, str]:
    """The candidate's share in the last stage that splits users, and the first id by which all processes know of that stage."""
    policy = rollout.policy
    begins = [event.at for event in events if event.event in (Change.STARTED, Change.ADVANCED)]
    share = {Kind.AB: policy.share, Kind.CANARY: policy.stages[len(begins) - 1]}.get(policy.kind, 100)
    return share / 100, first_id(begins[-1], LATE)


def _sample_ratio(share: float, control: int, candidate: int) -> SampleRatio | None:
    from scipy.stats import binomtest

    if share == 1 or not control + candidate:
        return None
    p = float(binomtest(candidate, control + candidate, share).pvalue)
    return SampleRatio(control=control, candidate=candidate, expected=share, p=p, flagged=p < FLAGGED)


def _feedback(engine: Engine, rollout: Rollout) -> dict[Arm, tuple[Counter[str], Counter[str]]]:
    """For each arm, how often each thumb and each business outcome was given."""
    columns = (traces.c.arm, feedback.c.thumb, feedback.c.outcome)
    query = (
        select(*columns, func.count())
        .join_from(traces, feedback, traces.c.id == feedback.c.trace_id)
        .where(traces.c.experiment == rollout.name, traces.c.id >= first_id(rollout.created_at))
        .group_by(*columns)
    )
    found = {arm: (Counter[str](), Counter[str]()) for arm in Arm}
    with translated(engine.url), engine.connect() as connection:
        for arm, *given, n in connection.execute(query):
            for counts, word in zip(found[Arm(arm)], given, strict=True):
                if word:
                    counts[word] += n
    return found
