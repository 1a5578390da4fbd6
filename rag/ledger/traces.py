"""The log of requests: one row each, written before the first upstream call and completed at the end.

Knows a row's columns, how rows are found by them, and which are abandoned. Knows nothing of how a request runs.
"""

from asyncio import wrap_future
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field, ValidationError
from sqlalchemy import ColumnElement, Engine, ScalarSelect, exists, func, select, tuple_, update

from rag.errors import GroundwireError, NotFoundError
from rag.ledger.failures import translated
from rag.ledger.feedback import Thumb
from rag.ledger.processes import dead_among
from rag.ledger.schema import feedback, traces
from rag.ledger.writer import Row, Writer
from rag.llms import OURS
from rag.llms.base import Attempt, Purpose
from rag.process import OWNER
from rag.text.characters import SOUND, Sound, sound
from rag.trace import Channel, Outcome, Trace
from rag.types import Value

LONGEST_SEARCH = 200
"""Characters to search questions for: each word of them is looked for in every question."""
SHOWN = 300
"""Characters of a question in a summary."""


def _utc(moment: datetime) -> datetime:
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("that time is before the first year, or after the last") from None


Moment = Annotated[datetime, AfterValidator(_utc)]
"""A time in UTC; one without a zone is taken to be UTC."""


class Selection(Value):
    """A filter on traces: all conditions that are set must hold."""

    since: Moment | None = None
    """Begun at or after this time."""
    until: Moment | None = None
    """Begun before this time."""
    outcome: Outcome | None = None
    variant: Sound | None = None
    experiment: Sound | None = None
    arm: Sound | None = None
    channel: Channel | None = None
    collection: Sound | None = None
    prompt: Sound | None = None
    """The prompt of the answer, such as `answer@2`."""
    thumb: Thumb | None = None
    """Given by any author."""
    business_outcome: Sound | None = None
    """Reported by any author in feedback: `resolved`, `escalated`, ..."""
    ungrounded: bool = False
    """Only traces with a claim that their passages do not support."""
    q: Annotated[str, Field(max_length=LONGEST_SEARCH), SOUND] | None = None
    """Words or parts of words in the question, in any order; case matters only outside ASCII."""
    key: Sound | None = None
    """The id of the API key that asked."""


class TraceSummary(Value):
    """A trace in a list."""

    id: str
    created_at: str
    question: str
    """Its first `SHOWN` characters."""
    channel: Channel
    collection: str
    variant: str
    prompt: str | None
    model: str
    """The model that the variant asks first."""
    key: str | None
    experiment: str | None
    arm: str | None
    shadow_of: str | None
    outcome: Outcome | None
    """Null while the request runs."""
    ungrounded: int | None
    """Number of claims that the passages do not support; null if they were not checked."""
    prompt_tokens: int
    completion_tokens: int
    cost_nanodollars: int | None
    first_token_ms: float | None
    total_ms: float | None
    up: int
    """Number of thumbs up."""
    down: int
    """Number of thumbs down."""


class Page(NamedTuple):
    """A part of a list. `next` is the id to continue after, null on the last page."""

    summaries: list[TraceSummary]
    next: str | None


WHOLE = 36
"""Characters of an id."""


class Traces:
    """Reads and writes traces.

    `key`: the API key that reads. It sees its own requests without their shadows; null sees everything.
    """

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self.engine = engine
        self._writer = writer

    async def record(self, trace: Trace) -> None:
        """Write the trace, replacing an earlier row of the same id; returns once it is committed."""
        await wrap_future(self.submit(trace))

    def submit(self, trace: Trace) -> Future[None]:
        """Like `record`, for callers that cannot await, such as a request that is being cancelled."""
        return self._writer.submit(traces, _row(trace))

    def get(self, id: str, *, key: str | None = None) -> Trace:
        """The trace whose id is, or begins with, `id`.

        Raises `NotFoundError` if there is none, `GroundwireError` if there are several.
        """
        # A whole id is looked up by the primary key; a prefix may take a scan.
        named = traces.c.id == id if len(id) == WHOLE else traces.c.id.startswith(id, autoescape=True)
        query = select(traces.c.body).where(named, *_seen_by(key))
        with translated(self.engine.url), self.engine.connect() as connection:
            rows = connection.execute(query.limit(2)).all()
        if not rows:
            raise NotFoundError(f"no trace has the id {id}", "`rag trace` lists the latest ones")
        if len(rows) > 1:
            raise GroundwireError(f"more than one trace id begins with {id}", "give more of it")
        return Trace.model_validate_json(rows[0].body)

    def require(self, id: str, *, key: str | None = None) -> None:
        """Raise `NotFoundError` unless there is a trace with this whole id that `key` sees."""
        query = select(traces.c.id).where(traces.c.id == id, *_seen_by(key))
        with translated(self.engine.url), self.engine.connect() as connection:
            if connection.execute(query).first() is None:
                raise NotFoundError(f"no trace has the id {id}", "an answer names its trace")

    def page(
        self,
        selection: Selection,
        *,
        key: str | None = None,
        limit: int = 50,
        after: str | None = None,
        without: Channel | None = None,
    ) -> Page:
        """At most `limit` of the selected traces, newest first, without those of one channel. `after` is `Page.next` of the previous page.

        Reads no bodies. Raises `NotFoundError` if there is no trace `after`.
        """
        query = select(*_SUMMARY).where(*_conditions(selection), *_seen_by(key), *_outside(without))
        with translated(self.engine.url), self.engine.connect() as connection:
            if after is not None:
                last = connection.execute(
                    select(traces.c.created_at, traces.c.id).where(traces.c.id == after, *_seen_by(key))
                ).one_or_none()
                if last is None:
                    raise NotFoundError(f"no trace has the id {after}", "begin with the first page again")
                query = query.where(tuple_(traces.c.created_at, traces.c.id) < tuple_(*last))
            query = query.order_by(traces.c.created_at.desc(), traces.c.id.desc()).limit(limit + 1)
            summaries = [TraceSummary(**row) for row in connection.execute(query).mappings()]
        return Page(summaries[:limit], summaries[limit - 1].id if len(summaries) > limit else None)

    def count(self, selection: Selection, most: int, *, key: str | None = None, without: Channel | None = None) -> int:
        """How many traces are selected, as `page` selects them; counting ends at `most`."""
        found = select(traces.c.id).where(*_conditions(selection), *_seen_by(key), *_outside(without)).limit(most)
        with translated(self.engine.url), self.engine.connect() as connection:
            return connection.execute(select(func.count()).select_from(found.subquery())).scalar_one()

    def latest(self, limit: int, wanted: Selection | None = None) -> list[Trace]:
        """At most `limit` of the selected traces with their bodies, newest first."""
        conditions = _conditions(wanted or Selection())
        query = select(traces.c.body).where(*conditions).order_by(traces.c.created_at.desc(), traces.c.id.desc())
        with translated(self.engine.url), self.engine.connect() as connection:
            return [Trace.model_validate_json(row.body) for row in connection.execute(query.limit(limit))]

    def settle_abandoned(self) -> int:
        """End as failed the traces that dead processes left running; returns how many.

        If several processes try, one ends each trace.
        """
        running = traces.c.outcome.is_(None)
        with translated(self.engine.url), self.engine.begin() as connection:
            left = dead_among(connection, connection.execute(select(traces.c.owner).where(running).distinct()).scalars())
            query = select(traces.c.body).where(running, traces.c.owner.in_(left)).order_by(traces.c.id)
            settled = 0
            for body in connection.execute(query).scalars().all():
                try:
                    trace = _abandoned(Trace.model_validate_json(body))
                except ValidationError:
                    # Written by a newer version, which settles it itself.
                    continue
                # `running` again: a row may have been settled since it was read.
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
    # PostgreSQL rejects values longer than their column, as names may be; the body has them whole.
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
    *(traces.c[name] for name in TraceSummary.model_fields if name in traces.c and name != "question"),
)


def _seen_by(key: str | None) -> tuple[ColumnElement[bool], ...]:
    return () if key is None else (traces.c.key_id == key, traces.c.shadow_of.is_(None))


def _outside(channel: Channel | None) -> tuple[ColumnElement[bool], ...]:
    return () if channel is None else (traces.c.channel != channel,)


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
    """The trace ended as failed.

    Whether a model was called is unknown, so the cost is null if any model of the variant has a price.
    """
    reason = "the process ended before the answer did"
    asked = (trace.variant.llm.model, *trace.variant.llm.fallbacks, trace.variant.validator.judge)
    billed = next((model for model in asked if model and not model.startswith(OURS)), None)
    lost = () if billed is None else (Attempt(purpose=Purpose.ANSWER, model=billed, started_ms=0, total_ms=0, error=reason),)
    return trace.model_copy(update={"outcome": Outcome.FAILED, "reason": reason, "attempts": lost})
