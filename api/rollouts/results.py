"""What came of a rollout, with how sure that is: the one value that the page and the command show.

Knows how figures are made of requests. Knows nothing of how they are shown.
"""

import math
import time
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import Engine, func, select

from api.rollouts.controller import held
from api.rollouts.guardrails import MEASURES, METRICS, Watch, Watches
from api.rollouts.policy import Kind
from api.rollouts.requests import LATE, Request, first_id, id_at, read
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Arm, Change, Event, Rollout
from evals.comparison import Estimate
from evals.scorers.base import Metric
from rag.ledger.database import told
from rag.ledger.schema import feedback, traces
from rag.trace import ENDED_WELL
from rag.types import Value

FLAGGED = 0.001
"""Below this p, users are not split as they should be: something loses those of one arm."""


class Side(Value):
    """One arm. Rates are of the requests that have ended, with 95 % Wilson intervals; null where there are none."""

    variant: str
    requests: int
    running: int
    units: int
    """Users that the requests named."""
    outcomes: Mapping[str, int]
    error: Estimate | None
    hallucination: Estimate | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    cost: float | None
    """Dollars a request, over those whose cost is known."""
    unpriced: int
    """Requests whose cost is not known."""
    spent_nanodollars: int
    """Of the known costs."""
    up: int
    down: int
    """Thumbs."""
    business_outcomes: Mapping[str, int]
    """What readers said became of their business, the most frequent first."""


class Guarded(Value):
    """Where a guardrail stands."""

    metric: Metric
    allowed: str
    """The margin, for people: `5.0 points`, `20 %`."""
    state: str
    """`breached`, `not breached`, `waiting` for requests of both arms, or `not known` where no request says."""
    comparisons: int
    missing: int
    """Requests that say nothing of it: of cost, those whose price is not known."""
    difference: Estimate | None
    """Candidate minus control in the metric's unit; the interval holds however often it is looked at."""
    p: float
    """That a candidate within the margin looks so much worse, by the strongest evidence so far."""
    threshold: float
    """Of `p`: at or below it the guardrail is breached."""


class SampleRatio(Value):
    """Whether the users of the last stage that has both arms are split as they should be, by an exact binomial test."""

    control: int
    candidate: int
    expected: float
    """The candidate's share."""
    p: float
    flagged: bool


class Results(Value):
    rollout: Rollout
    share: float
    """Percent of readers that get the candidate's answer."""
    held_seconds: float
    """Since the last change."""
    control: Side
    candidate: Side
    guardrails: tuple[Guarded, ...]
    sample_ratio: SampleRatio | None
    """Null where users are not split, or none was named."""
    events: tuple[Event, ...]
    """Of the present rollout, oldest first."""


def results(rollouts: Rollouts, name: str) -> Results:
    """All of it is computed anew from the ledger. Raises `NotFoundError` where there is no such rollout."""
    rollout, at = rollouts.get(name), time.time()
    events = tuple(event for event in rollouts.events(name) if event.at >= rollout.created_at)
    share, since = _split(rollout, events)
    tallies = {arm: _Tally(since) for arm in Arm}
    watched = Watches(rollout.policy, intervals=True)

    def looked_at() -> Iterator[list[Request]]:
        late = id_at(at - LATE)
        for portion in read(rollouts.engine, name, first_id(rollout.created_at), at + LATE):
            for request in portion:
                tallies[request.arm].add(request, at)
            if known := [request for request in portion if request.id < late]:
                yield known

    portions = looked_at()
    watched.look(portions, at)
    for _ in portions:
        pass  # what waits behind a request that runs is counted, too
    said = _said(rollouts.engine, rollout)
    control, candidate = (_side(rollout.variant(arm), tallies[arm], *said[arm]) for arm in (Arm.CONTROL, Arm.CANDIDATE))
    return Results(
        rollout=rollout,
        share=rollout.share,
        held_seconds=held(rollout, at),
        control=control,
        candidate=candidate,
        guardrails=tuple(map(_guarded, watched)),
        sample_ratio=_sample_ratio(share, len(tallies[Arm.CONTROL].split), len(tallies[Arm.CANDIDATE].split)),
        events=events,
    )


class _Tally:
    """What is kept of the requests of an arm; of those from the id `since` on, also who asked."""

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
        """One more; `at` in seconds since 1970."""
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
        if request.outcome in ENDED_WELL and request.total_ms is not None:
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


def _guarded(watch: Watch) -> Guarded:
    waiting = "not known" if watch.missing and not any(map(watch.mean, Arm)) else "waiting"
    return Guarded(
        metric=METRICS[watch.name],
        allowed=watch.allowed,
        state="breached" if watch.breached else "not breached" if watch.comparisons else waiting,
        comparisons=watch.comparisons,
        missing=watch.missing,
        difference=watch.difference,
        p=watch.p,
        threshold=watch.alpha,
    )


def _split(rollout: Rollout, events: Sequence[Event]) -> tuple[float, str]:
    """The candidate's share in the stage that splits users last, and the first id by which all processes know of it."""
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


def _said(engine: Engine, rollout: Rollout) -> dict[Arm, tuple[Counter[str], Counter[str]]]:
    """Of each arm, how often each thumb and each business outcome was given."""
    columns = (traces.c.arm, feedback.c.thumb, feedback.c.outcome)
    query = (
        select(*columns, func.count())
        .join_from(traces, feedback, traces.c.id == feedback.c.trace_id)
        .where(traces.c.experiment == rollout.name, traces.c.id >= first_id(rollout.created_at))
        .group_by(*columns)
    )
    found = {arm: (Counter[str](), Counter[str]()) for arm in Arm}
    with told(engine.url), engine.connect() as connection:
        for arm, *said, n in connection.execute(query):
            for counted, word in zip(found[Arm(arm)], said, strict=True):
                if word:
                    counted[word] += n
    return found
