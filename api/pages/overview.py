"""What was asked in a window of time, what it cost and how it went: sums and quantiles of the columns of traces.

Knows SQL over columns, never a body. Knows nothing of how it is shown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Column, ColumnElement, Engine, case, func, select

from rag.ledger.database import told
from rag.ledger.schema import feedback, traces
from rag.trace import Channel, Outcome

QUANTILES = (0.5, 0.95, 0.99)
SERVED = (Channel.CHAT, Channel.OPENAI)
"""Requests of people who wait for them; copies are counted apart, and evaluations have pages of their own."""

RUNNING = "running"
"""What has no outcome yet."""


class Window(NamedTuple):
    """How far back is looked, in slots of which length."""

    name: str
    slots: int
    slot: timedelta


WINDOWS = {
    "hour": Window("the last hour", 30, timedelta(minutes=2)),
    "day": Window("the last day", 48, timedelta(minutes=30)),
    "week": Window("the last week", 42, timedelta(hours=4)),
}


class Quantiles(NamedTuple):
    """Milliseconds that so many of the requests took at most; null where none has the value."""

    p50: float | None
    p95: float | None
    p99: float | None


class Slot(NamedTuple):
    """A piece of the window."""

    begins: datetime
    outcomes: Mapping[str, int]
    total: Quantiles
    first_text: Quantiles
    held: Quantiles
    answered: int
    """That the validator has judged."""
    ungrounded: int
    """Of those: with a claim that the passages do not support."""
    nanodollars: int
    up: int
    down: int

    @property
    def rate(self) -> float | None:
        """The hallucination rate."""
        return self.ungrounded / self.answered if self.answered else None


class Use(NamedTuple):
    """What one variant, or one prompt, was used for. Tokens, cost and rates are of served requests, shadows apart."""

    name: str
    requests: int
    answered: int
    """That the validator has judged."""
    ungrounded: int
    prompt_tokens: int
    completion_tokens: int
    nanodollars: int
    unpriced: int
    """Requests whose price is not known, which `nanodollars` leaves out."""
    mean_ms: float | None
    shadows: int
    shadow_nanodollars: int

    @property
    def rate(self) -> float | None:
        """The hallucination rate."""
        return self.ungrounded / self.answered if self.answered else None

    @property
    def each(self) -> float | None:
        """Nano-dollars a request, of those whose price is known."""
        priced = self.requests - self.unpriced
        return self.nanodollars / priced if priced else None


class Overview(NamedTuple):
    """A window, whole and in its slots, oldest first."""

    window: Window
    slots: Sequence[Slot]
    outcomes: Mapping[str, int]
    total: Quantiles
    first_text: Quantiles
    held: Quantiles
    variants: Sequence[Use]
    prompts: Sequence[Use]

    @property
    def requests(self) -> int:
        return sum(self.outcomes.values())

    @property
    def rate(self) -> float | None:
        """The hallucination rate."""
        return self.sum("ungrounded") / judged if (judged := self.sum("answered")) else None

    def sum(self, field: str) -> int:
        """Of a field of the slots."""
        return sum(getattr(slot, field) for slot in self.slots)

    def known(self, field: str) -> bool:
        """Whether any slot has quantiles of a field."""
        return any(getattr(slot, field).p50 is not None for slot in self.slots)

    def over(self, field: str) -> dict[str, list[float | None]]:
        """The quantiles of a field, slot by slot."""
        return {name: [getattr(getattr(slot, field), name) for slot in self.slots] for name in Quantiles._fields}


def overview(engine: Engine, window: Window, *, key: str | None = None, now: datetime | None = None) -> Overview:
    """The window that ends now, of the requests of one key or of all."""
    end = now or datetime.now(UTC)
    # Slots begin at round times, so that a page that is loaded again shows the same ones.
    width = window.slot.total_seconds()
    last = datetime.fromtimestamp(end.timestamp() // width * width, UTC)
    begins = [last - window.slot * back for back in reversed(range(window.slots))]
    since = begins[0].isoformat(timespec="milliseconds")
    found = _columns(engine, since, end, key)
    return Overview(
        window=window,
        slots=_slots(found, _thumbs(engine, since, end, key), begins, window),
        outcomes=Counter(found.outcome),
        total=_quantiles(found.total_ms),
        first_text=_quantiles(found.first_token_ms),
        held=_quantiles(found.held_ms),
        variants=uses(engine, "variant", since, key=key),
        prompts=uses(engine, "prompt", since, key=key),
    )


def uses(engine: Engine, by: Literal["variant", "prompt"], since: str, *, key: str | None = None) -> list[Use]:
    """By variant, or by prompt of the answer, since a time (ISO 8601, UTC), the most used first."""
    column = traces.c[by]
    served, shadow = traces.c.channel.in_(SERVED), traces.c.channel == Channel.SHADOW
    judged = served & (traces.c.outcome == Outcome.ANSWERED) & traces.c.ungrounded.is_not(None)

    def total(of: Column[Any], where: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.coalesce(func.sum(case((where, of), else_=0)), 0)

    def counted(where: ColumnElement[bool]) -> ColumnElement[Any]:
        return func.sum(case((where, 1), else_=0))

    columns = {
        "requests": counted(served),
        "answered": counted(judged),
        "ungrounded": counted(judged & (traces.c.ungrounded > 0)),
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
    with told(engine.url), engine.connect() as connection:
        rows = connection.execute(query).all()
    found = [
        Use(name=name or "unknown", mean_ms=mean_ms, **dict(zip(columns, map(int, sums), strict=True)))
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
    """NaN where nobody has judged it, as in what follows where a value is not known."""
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
    with told(engine.url), engine.connect() as connection:
        rows = connection.execute(query).all()
    created_at, outcome, *numbers = zip(*rows, strict=True) if rows else [()] * len(_Columns._fields)
    return _Columns(
        created_at, [name or RUNNING for name in outcome], *(np.array(column, dtype=np.float64) for column in numbers)
    )


def _thumbs(engine: Engine, since: str, end: datetime, key: str | None) -> list[tuple[str, str]]:
    """When each thumb of the window was given, and which way."""
    query = select(feedback.c.created_at, feedback.c.thumb).where(
        feedback.c.created_at >= since,
        feedback.c.created_at <= end.isoformat(timespec="milliseconds"),
        feedback.c.thumb.is_not(None),
    )
    if key is not None:
        query = query.join(traces, traces.c.id == feedback.c.trace_id).where(*_of(key))
    with told(engine.url), engine.connect() as connection:
        return [(at, thumb) for at, thumb in connection.execute(query)]


def _slots(found: _Columns, thumbs: Sequence[tuple[str, str]], begins: Sequence[datetime], window: Window) -> list[Slot]:
    places = _places(found.created_at, begins[0], window)
    given = _places([at for at, _ in thumbs], begins[0], window).tolist()
    thumbed = Counter(zip(given, (thumb for _, thumb in thumbs), strict=True))
    ended = Counter(zip(places.tolist(), found.outcome, strict=True))
    judged = (np.array(found.outcome) == Outcome.ANSWERED) & ~np.isnan(found.ungrounded)
    return [
        Slot(
            begins=begin,
            outcomes={name: ended[place, name] for name in (*Outcome, RUNNING)},
            total=_quantiles(found.total_ms[here]),
            first_text=_quantiles(found.first_token_ms[here]),
            held=_quantiles(found.held_ms[here]),
            answered=int(judged[here].sum()),
            ungrounded=int((judged[here] & (found.ungrounded[here] > 0)).sum()),
            nanodollars=int(np.nansum(found.cost_nanodollars[here])),
            up=thumbed[place, "up"],
            down=thumbed[place, "down"],
        )
        for place, begin in enumerate(begins)
        for here in (places == place,)
    ]


def _places(moments: Sequence[str], begin: datetime, window: Window) -> NDArray[np.int64]:
    """Which slot each moment (ISO 8601, UTC, milliseconds) is in."""
    at = np.array([moment[:23] for moment in moments], dtype="datetime64[ms]")
    start = np.datetime64(begin.replace(tzinfo=None), "ms")
    slots = (at - start) // np.timedelta64(window.slot)
    return np.minimum(slots.astype(np.int64), window.slots - 1)


def _quantiles(values: NDArray[np.float64]) -> Quantiles:
    known = values[~np.isnan(values)]
    # A value that was there, not one between two: the smallest that so many do not exceed.
    return (
        Quantiles(*np.quantile(known, QUANTILES, method="inverted_cdf").tolist()) if len(known) else Quantiles(None, None, None)
    )
