"""The log of requests: one row each, begun before the first upstream call and settled at the end.

Knows a row's columns, how rows are found by them, and whose are abandoned. Knows nothing of how a request runs.
"""

from asyncio import wrap_future
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, ValidationError
from sqlalchemy import ColumnElement, Engine, ScalarSelect, exists, func, select, tuple_, update

from rag.errors import GroundwireError, NotFoundError
from rag.ledger.database import told
from rag.ledger.feedback import Thumb
from rag.ledger.processes import gone
from rag.ledger.schema import feedback, traces
from rag.ledger.writer import Row, Writer
from rag.llms import OURS
from rag.llms.base import Attempt, Purpose
from rag.process import OWNER
from rag.text.characters import Sound, sound
from rag.trace import Channel, Outcome, Trace
from rag.types import Value

SHOWN = 300
"""Characters of a question that a summary shows."""


def _utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("that time is before the first year, or after the last") from None


Moment = Annotated[datetime, AfterValidator(_utc)]
"""In UTC, as which a time without a zone is read."""


class Selection(Value):
    """Which traces are wanted: those that fit all that is given."""

    since: Moment | None = None
    """Begun then or later."""
    until: Moment | None = None
    """Begun before."""
    outcome: Outcome | None = None
    variant: Sound | None = None
    experiment: Sound | None = None
    arm: Sound | None = None
    channel: Channel | None = None
    collection: Sound | None = None
    prompt: Sound | None = None
    """Of the answer, as `answer@2`."""
    thumb: Thumb | None = None
    """Given by anybody."""
    business_outcome: Sound | None = None
    """Told by anybody, in feedback: `resolved`, `escalated`, ..."""
    ungrounded: bool = False
    """Only those with a claim that their passages do not support."""
    q: Sound | None = None
    """Words that the question has, in any order; a part of a word does, and case matters only outside of ASCII."""
    key: Sound | None = None
    """The id of the API key that asked."""


class Summary(Value):
    """A trace in a list."""

    id: str
    created_at: str
    question: str
    """The beginning of it."""
    channel: Channel
    collection: str
    variant: str
    prompt: str | None
    model: str
    """That the variant asks first."""
    key: str | None
    experiment: str | None
    arm: str | None
    shadow_of: str | None
    outcome: Outcome | None
    """Null while it runs."""
    ungrounded: int | None
    """Claims that the passages do not support; null where nothing is known of them."""
    prompt_tokens: int
    completion_tokens: int
    cost_nanodollars: int | None
    first_token_ms: float | None
    total_ms: float | None
    up: int
    """Thumbs that were given."""
    down: int


class Page(NamedTuple):
    """A piece of a list, and where the next one begins; null after the last."""

    summaries: list[Summary]
    next: str | None


WHOLE = 36
"""Characters of an id."""


class Traces:
    """Reads and writes traces. `key` is who reads: a key sees what it asked itself, and no shadow of it; null sees everything."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self.engine = engine
        self._writer = writer

    async def record(self, trace: Trace) -> None:
        """Write the trace, in place of an earlier row of the same id; returns when it is committed."""
        await wrap_future(self.submit(trace))

    def submit(self, trace: Trace) -> Future[None]:
        """As `record`, for callers that cannot wait, such as a request that is being cancelled."""
        return self._writer.submit(traces, _row(trace))

    def get(self, id: str, *, key: str | None = None) -> Trace:
        """The trace whose id is, or begins with, `id`. Raises `GroundwireError` where there is none, or more than one."""
        # A whole one is found by the key of the table; its beginning by looking at all.
        named = traces.c.id == id if len(id) == WHOLE else traces.c.id.startswith(id, autoescape=True)
        query = select(traces.c.body).where(named, *_seen_by(key))
        with told(self.engine.url), self.engine.connect() as connection:
            rows = connection.execute(query.limit(2)).all()
        if not rows:
            raise NotFoundError(f"no trace has the id {id}", "`rag trace` lists the latest ones")
        if len(rows) > 1:
            raise GroundwireError(f"more than one trace id begins with {id}", "give more of it")
        return Trace.model_validate_json(rows[0].body)

    def require(self, id: str, *, key: str | None = None) -> None:
        """Raise `NotFoundError` where there is no trace with this id, whole, that `key` sees."""
        query = select(traces.c.id).where(traces.c.id == id, *_seen_by(key))
        with told(self.engine.url), self.engine.connect() as connection:
            if connection.execute(query).first() is None:
                raise NotFoundError(f"no trace has the id {id}", "an answer names its trace")

    def page(self, selection: Selection, *, key: str | None = None, limit: int = 50, after: str | None = None) -> Page:
        """At most `limit` of the traces that are wanted, newest first, from behind the trace `after` on: `Page.next` of the page before.

        Reads columns only. Raises `NotFoundError` where there is no trace `after`.
        """
        query = select(*_SUMMARY).where(*_conditions(selection), *_seen_by(key))
        with told(self.engine.url), self.engine.connect() as connection:
            if after is not None:
                last = connection.execute(
                    select(traces.c.created_at, traces.c.id).where(traces.c.id == after, *_seen_by(key))
                ).one_or_none()
                if last is None:
                    raise NotFoundError(f"no trace has the id {after}", "begin with the first page again")
                query = query.where(tuple_(traces.c.created_at, traces.c.id) < tuple_(*last))
            query = query.order_by(traces.c.created_at.desc(), traces.c.id.desc()).limit(limit + 1)
            summaries = [Summary(**row) for row in connection.execute(query).mappings()]
        return Page(summaries[:limit], summaries[limit - 1].id if len(summaries) > limit else None)

    def latest(self, limit: int, wanted: Selection | None = None) -> list[Trace]:
        """At most `limit` of the traces that are wanted, whole, newest first."""
        conditions = _conditions(wanted or Selection())
        query = select(traces.c.body).where(*conditions).order_by(traces.c.created_at.desc(), traces.c.id.desc())
        with told(self.engine.url), self.engine.connect() as connection:
            return [Trace.model_validate_json(row.body) for row in connection.execute(query.limit(limit))]

    def settle_abandoned(self) -> int:
        """End as failed what processes that are gone have left running; returns how many. Each is ended by one of those who try."""
        running = traces.c.outcome.is_(None)
        with told(self.engine.url), self.engine.begin() as connection:
            left = gone(connection, connection.execute(select(traces.c.owner).where(running).distinct()).scalars())
            query = select(traces.c.body).where(running, traces.c.owner.in_(left)).order_by(traces.c.id)
            settled = 0
            for body in connection.execute(query).scalars().all():
                try:
                    trace = _abandoned(Trace.model_validate_json(body))
                except ValidationError:
                    # Of a newer version, which settles it itself.
                    continue
                # A row that was settled since it was read is left as it is.
                settled += connection.execute(update(traces).where(traces.c.id == trace.id, running).values(_row(trace))).rowcount
        return settled


def _row(trace: Trace) -> Row:
    usage = trace.usage
    row = {
        "id": trace.id,
        "created_at": trace.created_at,
        "owner": OWNER,
        "outcome": trace.outcome,
        "channel": trace.channel,
        "collection": trace.collection,
        "variant": trace.variant.name,
        "variant_sha256": trace.versions.variant,
        "model": trace.variant.llm.model,
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "cost_nanodollars": trace.cost_nanodollars,
        "first_token_ms": trace.first_token_ms,
        "total_ms": trace.total_ms,
        "body": trace.model_dump_json(),
        "prompt": next(iter(trace.versions.prompts), None),
        "key_id": trace.origin.key,
        "unit": trace.origin.unit,
        "experiment": trace.origin.experiment,
        "arm": trace.origin.arm,
        "shadow_of": trace.origin.shadow_of,
        "ungrounded": trace.ungrounded,
        "held_ms": trace.held_ms,
        "question": sound(trace.question),
    }
    # Names that people give may be longer than their columns, which PostgreSQL does not let pass: the body has all of them.
    return {name: value[: _LENGTHS[name]] if isinstance(value, str) else value for name, value in row.items()}


_LENGTHS = {column.name: getattr(column.type, "length", None) for column in traces.columns}


def _thumbs(thumb: Thumb) -> ScalarSelect[int]:
    given = (feedback.c.trace_id == traces.c.id, feedback.c.thumb == thumb)
    return select(func.count()).select_from(feedback).where(*given).correlate(traces).scalar_subquery()


_SUMMARY = (
    func.coalesce(func.substr(traces.c.question, 1, SHOWN), "").label("question"),
    traces.c.key_id.label("key"),
    _thumbs("up").label("up"),
    _thumbs("down").label("down"),
    *(traces.c[name] for name in Summary.model_fields if name in traces.c and name != "question"),
)


def _seen_by(key: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if key is None else (traces.c.key_id == key, traces.c.shadow_of.is_(None))


def _conditions(selection: Selection) -> Iterator[ColumnElement[bool]]:
    for name in ("outcome", "variant", "experiment", "arm", "channel", "collection", "prompt"):
        if (value := getattr(selection, name)) is not None:
            yield traces.c[name] == value
    if selection.key is not None:
        yield traces.c.key_id == selection.key
    if selection.since:
        yield traces.c.created_at >= selection.since.isoformat(timespec="milliseconds")
    if selection.until:
        yield traces.c.created_at < selection.until.isoformat(timespec="milliseconds")
    if selection.ungrounded:
        yield traces.c.ungrounded > 0
    if selection.thumb:
        yield exists().where(feedback.c.trace_id == traces.c.id, feedback.c.thumb == selection.thumb)
    if selection.business_outcome is not None:
        yield exists().where(feedback.c.trace_id == traces.c.id, feedback.c.outcome == selection.business_outcome)
    for word in (selection.q or "").split():
        yield traces.c.question.icontains(word, autoescape=True)


def _abandoned(trace: Trace) -> Trace:
    """Whether a model was called, and what for, is not known; so neither is the cost, unless the variant asks no model that has a price."""
    reason = "the process ended before the answer did"
    asked = (trace.variant.llm.model, *trace.variant.llm.fallbacks, trace.variant.validator.judge)
    billed = next((model for model in asked if model and not model.startswith(OURS)), None)
    lost = () if billed is None else (Attempt(purpose=Purpose.ANSWER, model=billed, started_ms=0, total_ms=0, error=reason),)
    return trace.model_copy(update={"outcome": Outcome.FAILED, "reason": reason, "attempts": lost})
