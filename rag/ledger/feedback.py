"""Readers' feedback on answers: one entry per author and trace.

Knows entries and how they are stored. Knows nothing of who may give feedback, or of how it is used.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Engine, insert, select, update

from rag.errors import NotFoundError
from rag.ledger.database import exclusive
from rag.ledger.failures import translated
from rag.ledger.schema import feedback, traces
from rag.text.characters import Sound
from rag.types import Value

Thumb = Literal["up", "down"]


class FeedbackFields(Value):
    """A reader's feedback; a field that is not set says nothing."""

    thumb: Thumb | None = None
    score: float | None = Field(default=None, ge=0, le=1)
    """0 to 1; 1 is best."""
    comment: Sound | None = Field(default=None, max_length=4000)
    outcome: Sound | None = Field(default=None, min_length=1, max_length=64)
    """The business outcome in a short word: `resolved`, `escalated`, ..."""


class FeedbackEntry(FeedbackFields):
    """Feedback as it is stored."""

    trace_id: str
    author: str
    created_at: str
    """When it was last changed; ISO 8601, UTC."""


class Feedback:
    """Reads and writes feedback."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def give(self, trace_id: str, author: str, fields: FeedbackFields) -> FeedbackEntry:
        """Update the `fields` that are set, and keep the author's earlier values in the others. Null clears a field.

        Raises `NotFoundError` if there is no such trace.
        """
        values: dict[str, Any] = fields.model_dump(exclude_unset=True)
        values["created_at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = (feedback.c.trace_id == trace_id, feedback.c.author == author)
        with exclusive(self.engine) as connection:
            # Others who give feedback on the same trace wait here, so that two first entries do not collide.
            if not connection.execute(select(traces.c.id).where(traces.c.id == trace_id).with_for_update()).all():
                raise NotFoundError(f"no trace has the id {trace_id}", "an answer names its trace")
            if not connection.execute(update(feedback).where(*entry).values(values)).rowcount:
                connection.execute(insert(feedback).values(trace_id=trace_id, author=author, **values))
            return FeedbackEntry(**connection.execute(select(feedback).where(*entry)).mappings().one())

    def of(self, trace_id: str) -> list[FeedbackEntry]:
        """All feedback on a trace, the oldest first."""
        query = select(feedback).where(feedback.c.trace_id == trace_id).order_by(feedback.c.created_at, feedback.c.author)
        with translated(self.engine.url), self.engine.connect() as connection:
            return [FeedbackEntry(**row) for row in connection.execute(query).mappings()]
