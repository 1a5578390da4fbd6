"""What came of a rollout, with how sure that is: the one value that the page and the command show.

Knows how figures are made of requests. Knows nothing of how they are shown.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import Engine, func, select

from api.rollouts.controller import held
from api.rollouts.guardrails import ENDED_WELL, MEASURES, METRICS, Watch, watches
from api.rollouts.policy import Kind
from api.rollouts.requests import LATE, Request, first_id, id_at, read
from api.rollouts.rollouts import Rollouts
from api.rollouts.state import Arm, Change, Event, Rollout
from evals.comparison import Estimate
from evals.scorers.base import Metric
from rag.ledger.database import told
from rag.ledger.schema import feedback, traces
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
    watched = [] if rollout.policy.kind is Kind.BLUE_GREEN else watches(rollout.policy)
    requests = [
        request for portion in read(rollouts.engine, name, first_id(rollout.created_at), at + LATE) for request in portion
    ]
    late = id_at(at - LATE)
    known = [request for request in requests if request.id < late]
    for watch in watched:
        watch.look(known, at)
    events = tuple(event for event in rollouts.events(name) if event.at >= rollout.created_at)
    thumbs = _thumbs(rollouts.engine, rollout)
    sides = {arm: [request for request in requests if request.arm is arm] for arm in Arm}
    return Results(
        rollout=rollout,
        share=rollout.share,
        held_seconds=held(rollout, at),
        control=_side(rollout.variant(Arm.CONTROL), sides[Arm.CONTROL], thumbs[Arm.CONTROL], at),
        candidate=_side(rollout.variant(Arm.CANDIDATE), sides[Arm.CANDIDATE], thumbs[Arm.CANDIDATE], at),
        guardrails=tuple(map(_guarded, watched)),
        sample_ratio=_sample_ratio(rollout, events, requests),
        events=events,
    )


def _side(variant: str, requests: Sequence[Request], thumbs: Counter[str], at: float) -> Side:
    import numpy as np

    ended = [request for request in requests if request.outcome]
    times = [request.total_ms for request in ended if request.outcome in ENDED_WELL and request.total_ms is not None]
    costs = [request.cost_nanodollars for request in ended if request.cost_nanodollars is not None]
    p50, p95 = np.quantile(times, [0.5, 0.95]) if times else (None, None)
    return Side(
        variant=variant,
        requests=len(requests),
        running=len(requests) - len(ended),
        units=len({request.unit for request in requests} - {None}),
        outcomes=Counter(str(request.outcome) for request in ended),
        error=_rate("error", ended, at),
        hallucination=_rate("hallucination", ended, at),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        cost=sum(costs) / len(costs) / 1e9 if costs else None,
        unpriced=len(ended) - len(costs),
        spent_nanodollars=sum(costs),
        up=thumbs["up"],
        down=thumbs["down"],
    )


def _rate(name: str, ended: Sequence[Request], at: float) -> Estimate | None:
    import numpy as np

    from evals.stats.intervals import of_proportion

    values = np.array([MEASURES[name](request, at) for request in ended], dtype=np.float64)
    known = values[~np.isnan(values)]
    return of_proportion(known, level=0.95) if len(known) else None


def _guarded(watch: Watch) -> Guarded:
    waiting = "not known" if watch.missing and not any(map(watch.mean, Arm)) else "waiting"
    return Guarded(
        metric=METRICS[watch.name],
        allowed=watch.allowed,
        state="breached" if watch.breached else "not breached" if watch.blocks else waiting,
        comparisons=len(watch.blocks),
        missing=watch.missing,
        difference=watch.difference,
        p=watch.p,
        threshold=watch.alpha,
    )


def _sample_ratio(rollout: Rollout, events: Sequence[Event], requests: Sequence[Request]) -> SampleRatio | None:
    """Of the stage that splits users last, from when all processes know of it."""
    policy = rollout.policy
    begins = [event.at for event in events if event.event in (Change.STARTED, Change.ADVANCED)]
    share = {Kind.AB: policy.share, Kind.CANARY: policy.stages[len(begins) - 1]}.get(policy.kind, 100) / 100
    if share == 1:
        return None
    from scipy.stats import binomtest

    since = first_id(begins[-1], LATE)
    named = {(request.arm, request.unit) for request in requests if request.unit and request.id >= since}
    units = Counter(arm for arm, _ in named)
    if not units:
        return None
    p = float(binomtest(units[Arm.CANDIDATE], units.total(), share).pvalue)
    return SampleRatio(control=units[Arm.CONTROL], candidate=units[Arm.CANDIDATE], expected=share, p=p, flagged=p < FLAGGED)


def _thumbs(engine: Engine, rollout: Rollout) -> dict[Arm, Counter[str]]:
    query = (
        select(traces.c.arm, feedback.c.thumb, func.count())
        .join_from(traces, feedback, traces.c.id == feedback.c.trace_id)
        .where(traces.c.experiment == rollout.name, traces.c.id >= first_id(rollout.created_at), feedback.c.thumb.is_not(None))
        .group_by(traces.c.arm, feedback.c.thumb)
    )
    found: dict[Arm, Counter[str]] = {arm: Counter() for arm in Arm}
    with told(engine.url), engine.connect() as connection:
        for arm, thumb, n in connection.execute(query):
            found[Arm(arm)][thumb] += n
    return found
