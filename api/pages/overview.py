"""The figures of the overview: requests, cost, latency and feedback in a window of time.

Knows SQL over the columns of traces, never a body. Knows nothing of how figures are shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, ColumnElement, Engine, Row, case, func, select

from rag.figures import counted
from rag.ledger.failures import translated
from rag.ledger.schema import feedback, traces
from rag.trace import Channel, Outcome, hallucinates

QUANTILES = (0.5, 0.95, 0.99)
SERVED = (Channel.CHAT, Channel.OPENAI)
"""Channels whose readers wait for the answer. Shadow copies are counted separately, and evaluations have their own pages."""

LEAST = 5
"""Answers that a rate in a plot is of: of fewer it would jump with each."""

RUNNING = "running"
"""Stands for the outcome of a request that has none yet."""


class Window(NamedTuple):
    """A period that ends now, and how it is divided into slots."""

    name: str
    slots: int
    slot: timedelta


WINDOWS = {
    "hour": Window("the last hour", 30, timedelta(minutes=2)),
    "day": Window("the last day", 48, timedelta(minutes=30)),
    "week": Window("the last week", 42, timedelta(hours=4)),
}


class Quantiles(NamedTuple):
    """Milliseconds; null if no request has a value."""

    p50: float | None
    p95: float | None
    p99: float | None
    n: int
    """Requests that have a value."""


class Rate(NamedTuple):
    """A hallucination rate."""

    ungrounded: int
    judged: int
    """As in `Slot`."""

    @property
    def value(self) -> float:
        return self.ungrounded / self.judged


class Slot(NamedTuple):
    """The figures of one slot of the window."""

    begins: datetime
    outcomes: Mapping[str, int]
    total: Quantiles
    first_text: Quantiles
    held: Quantiles
    judged: int
    """Answers and refusals for which it is known whether the model hallucinated."""
    ungrounded: int
    """Those in which it did."""
    nanodollars: int
    up: int
    down: int


class Use(NamedTuple):
    """How one variant, or one prompt, was used. Tokens, cost and rates exclude shadow copies."""

    name: str
    requests: int
    judged: int
    """As in `Slot`."""
    ungrounded: int
    prompt_tokens: int
    completion_tokens: int
    nanodollars: int
    unpriced: int
    """Requests whose price is not known; `nanodollars` does not include them."""
    mean_ms: float | None
    shadows: int
    shadow_nanodollars: int

    @property
    def rate(self) -> float | None:
        """The hallucination rate."""
        return self.ungrounded / self.judged if self.judged else None

    @property
    def each(self) -> float | None:
        """Mean nano-dollars per request whose price is known."""
        priced = self.requests - self.unpriced
        return self.nanodollars / priced if priced else None


class Overview(NamedTuple):
    """The figures of a window as a whole, and of its slots, oldest first."""

    window: Window
    slots: Sequence[Slot]
    outcomes: Mapping[str, int]
    total: Quantiles
    first_text: Quantiles
    held: Quantiles
    business_outcomes: Mapping[str, int]
    """How often readers reported each business outcome, most frequent first."""
    score: float | None
    """The mean score in the feedback."""
    variants: Sequence[Use]
    prompts: Sequence[Use]

    @property
    def requests(self) -> int:
        return sum(self.outcomes.values())

    @property
    def rate(self) -> float | None:
        """The hallucination rate."""
        return self.sum("ungrounded") / judged if (judged := self.sum("judged")) else None

    def sum(self, field: str) -> int:
        """The sum of a field over the slots."""
        return sum(getattr(slot, field) for slot in self.slots)

    def known(self, field: str) -> bool:
        """Whether any slot has quantiles of a field."""
        return any(getattr(slot, field).p50 is not None for slot in self.slots)

    def over(self, field: str) -> dict[str, list[float | None]]:
        """Each quantile of a field, slot by slot."""
        return {name: [getattr(getattr(slot, field), name) for slot in self.slots] for name in ("p50", "p95", "p99")}

    def counts(self, field: str) -> list[str]:
        """How many requests each slot's quantiles of a field are of, as text."""
        return [counted(getattr(slot, field).n, "request") for slot in self.slots]

    def rates(self) -> list[Rate | None]:
        """The hallucination rate of each slot, or of the neighbours that together have `LEAST` judged; null where nothing was."""
        found: list[Rate | None] = [None] * len(self.slots)
        for stretch in _stretches([slot.judged for slot in self.slots]):
            slots = self.slots[stretch.start : stretch.stop]
            rate = Rate(sum(slot.ungrounded for slot in slots), sum(slot.judged for slot in slots))
            found[stretch.start : stretch.stop] = [rate] * len(slots)
        return found


def overview(engine: Engine, window: Window, *, key: str | None = None, now: datetime | None = None) -> Overview:
    """The window that ends now, over the requests of one key or of all."""
    end = now or datetime.now(UTC)
    # Slots begin at round times, so that reloading the page shows the same slots.
    width = window.slot.total_seconds()
    last = datetime.fromtimestamp(end.timestamp() // width * width, UTC)
    begins = [last - window.slot * back for back in reversed(range(window.slots))]
    since = begins[0].isoformat(timespec="milliseconds")
    found = _columns(engine, since, end, key)
    given = _feedback(engine, since, end, key)
    scores = [row.score for row in given if row.score is not None]
    return Overview(
        window=window,
        slots=_slots(found, [(row.created_at, row.thumb) for row in given if row.thumb], begins, window),
        outcomes=Counter(found.outcome),
        total=_quantiles(found.total_ms),
        first_text=_quantiles(found.first_token_ms),
        held=_quantiles(found.held_ms),
        business_outcomes=dict(Counter(row.outcome for row in given if row.outcome).most_common()),
        score=fmean(scores) if scores else None,
        variants=uses(engine, "variant", since, key=key),
        prompts=uses(engine, "prompt", since, key=key),
    )


def uses(engine: Engine, by: Literal["variant", "prompt"], since: str, *, key: str | None = None) -> list[Use]:
    """The use of each variant, or of each answer prompt, since a time (ISO 8601, UTC), most used first."""
    column = traces.c[by]
    served, shadow = traces.c.channel.in_(SERVED), traces.c.channel == Channel.SHADOW

    def total(of: Column[Any], where: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(case((where, of), else_=0)), 0)

    def counted(where: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.sum(case((where, 1), else_=0))

    columns = {
        "requests": counted(served),
        "prompt_tokens": total(traces.c.prompt_tokens, served),
        "completion_tokens": total(traces.c.completion_tokens, served),
        "nanodollars": total(traces.c.cost_nanodollars, served),
        "unpriced": counted(served & traces.c.cost_nanodollars.is_(None)),
        "shadows": counted(shadow),
        "shadow_nanodollars": total(traces.c.cost_nanodollars, shadow),
    }
    mean = func.avg(case((served, traces.c.total_ms)))
    query = select(column, mean, *columns.values()).group_by(column)
    query = query.where(traces.c.created_at >= since, traces.c.channel.in_((*SERVED, Channel.SHADOW)), *_of(key))
    claimed = select(column, traces.c.outcome, traces.c.ungrounded, func.count()).where(
        traces.c.created_at >= since, served, *_of(key)
    )
    judged: Counter[tuple[str | None, bool | None]] = Counter()
    with translated(engine.url), engine.connect() as connection:
        rows = connection.execute(query).all()
        for name, outcome, ungrounded, n in connection.execute(claimed.group_by(column, traces.c.outcome, traces.c.ungrounded)):
            judged[name, hallucinates(outcome, ungrounded)] += n
    found = [
        Use(
            name=name or "unknown",
            judged=judged[name, True] + judged[name, False],
            ungrounded=judged[name, True],
            mean_ms=mean_ms,
            **dict(zip(columns, map(int, sums), strict=True)),
        )
        for name, mean_ms, *sums in rows
    ]
    return sorted(found, key=lambda use: (-use.requests, use.name))


def _of(key: str | None) -> Iterator[ColumnElement[bool]]:
    if key is not None:
        yield traces.c.key_id == key
        yield traces.c.channel != Channel.SHADOW


class _Columns(NamedTuple):
    """The served requests of a window, one element each."""

    created_at: Sequence[str]
    outcome: Sequence[str]
    ungrounded: NDArray[np.float64]
    """1 if the model hallucinated. Here and below, NaN is a value that is not known."""
    cost_nanodollars: NDArray[np.float64]
    total_ms: NDArray[np.float64]
    first_token_ms: NDArray[np.float64]
    held_ms: NDArray[np.float64]


def _columns(engine: Engine, since: str, end: datetime, key: str | None) -> _Columns:
    query = select(*(traces.c[name] for name in _Columns._fields)).where(
        traces.c.created_at >= since,
        traces.c.created_at <= end.isoformat(timespec="milliseconds"),
        traces.c.channel.in_(SERVED),
        *_of(key),
    )
    with translated(engine.url), engine.connect() as connection:
        rows = connection.execute(query).all()
    created_at, outcome, ungrounded, *numbers = zip(*rows, strict=True) if rows else [()] * len(_Columns._fields)
    judged = [*map(hallucinates, outcome, ungrounded)]
    return _Columns(
        created_at, [name or RUNNING for name in outcome], *(np.array(column, dtype=np.float64) for column in (judged, *numbers))
    )


def _feedback(engine: Engine, since: str, end: datetime, key: str | None) -> Sequence[Row[Any, Any, Any, Any]]:
    """The feedback of the window, without its comments."""
    columns = feedback.c
    query = select(columns.created_at, columns.thumb, columns.score, columns.outcome).where(
        columns.created_at >= since, columns.created_at <= end.isoformat(timespec="milliseconds")
    )
    if key is not None:
        query = query.join(traces, traces.c.id == columns.trace_id).where(*_of(key))
    with translated(engine.url), engine.connect() as connection:
        return connection.execute(query).all()


def _slots(found: _Columns, thumbs: Sequence[tuple[str, str]], begins: Sequence[datetime], window: Window) -> list[Slot]:
    places = _places(found.created_at, begins[0], window)
    given = _places([at for at, _ in thumbs], begins[0], window).tolist()
    thumbed = Counter(zip(given, (thumb for _, thumb in thumbs), strict=True))
    ended = Counter(zip(places.tolist(), found.outcome, strict=True))
    return [
        Slot(
            begins=begin,
            outcomes={name: ended[place, name] for name in (*Outcome, RUNNING)},
            total=_quantiles(found.total_ms[here]),
            first_text=_quantiles(found.first_token_ms[here]),
            held=_quantiles(found.held_ms[here]),
            judged=int((~np.isnan(found.ungrounded[here])).sum()),
            ungrounded=int(np.nansum(found.ungrounded[here])),
            nanodollars=int(np.nansum(found.cost_nanodollars[here])),
            up=thumbed[place, "up"],
            down=thumbed[place, "down"],
        )
        for place, begin in enumerate(begins)
        for here in (places == place,)
    ]


def _stretches(judged: Sequence[int]) -> list[range]:
    """Neighbours with at least `LEAST` together, from a slot that has some to one that has some; fewer only if there are no others."""
    found: list[range] = []
    first, held = 0, 0
    for place, n in enumerate(judged):
        first = first if held else place
        held += n
        if held >= LEAST:
            found.append(range(first, place + 1))
            held = 0
    if held:
        start = found.pop().start if found else first
        found.append(range(start, max(place for place, n in enumerate(judged) if n) + 1))
    return found


def _places(moments: Sequence[str], begin: datetime, window: Window) -> NDArray[np.int64]:
    """The index of the slot of each moment (ISO 8601, UTC, milliseconds)."""
    at = np.array([moment[:23] for moment in moments], dtype="datetime64[ms]")
    start = np.datetime64(begin.replace(tzinfo=None), "ms")
    slots = (at - start) // np.timedelta64(window.slot)
    return np.minimum(slots.astype(np.int64), window.slots - 1)


def _quantiles(values: NDArray[np.float64]) -> Quantiles:
    known = values[~np.isnan(values)]
    # "inverted_cdf" returns a value that occurred: no interpolation.
    if not len(known):
        return Quantiles(None, None, None, 0)
    p50, p95, p99 = np.quantile(known, QUANTILES, method="inverted_cdf").tolist()
    return Quantiles(p50, p95, p99, len(known))
