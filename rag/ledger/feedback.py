"""What people say of answers: one entry of each author for each trace.

Knows the entry and how it is kept. Knows nothing of who may give one, or of what is made of it.
"""

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import Engine, insert, select, update

from rag.errors import NotFoundError
from rag.ledger.database import exclusive, told
from rag.ledger.schema import feedback, traces
from rag.text.characters import Sound
from rag.types import Value

Thumb = Literal["up", "down"]


class Opinion(Value):
    """What is said; a field that is not set says nothing."""

    thumb: Thumb | None = None
    score: float | None = Field(default=None, ge=0, le=1)
    """1 is best."""
    comment: Sound | None = Field(default=None, max_length=4000)
    outcome: Sound | None = Field(default=None, min_length=1, max_length=64)
    """What became of the reader's business, in a short word: `resolved`, `escalated`, ..."""


class Entry(Opinion):
    """An opinion as it is kept."""

    trace_id: str
    author: str
    created_at: str
    """ISO 8601, UTC: when it was last changed."""


class Feedback:
    """Reads and writes entries."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def give(self, trace_id: str, author: str, opinion: Opinion) -> Entry:
        """Keep the fields of `opinion` that are set; what the author said before in the others stays. A field set to null is taken back.

        Raises `NotFoundError` where there is no such trace.
        """
        said: dict[str, Any] = opinion.model_dump(exclude_unset=True)
        said["created_at"] = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = (feedback.c.trace_id == trace_id, feedback.c.author == author)
        with exclusive(self.engine) as connection:
            # Whoever gives feedback on the same trace waits here, so that of two first entries one follows the other.
            if not connection.execute(select(traces.c.id).where(traces.c.id == trace_id).with_for_update()).all():
                raise NotFoundError(f"no trace has the id {trace_id}", "an answer names its trace")
            if not connection.execute(update(feedback).where(*entry).values(said)).rowcount:
                connection.execute(insert(feedback).values(trace_id=trace_id, author=author, **said))
            return Entry(**connection.execute(select(feedback).where(*entry)).mappings().one())

    def of(self, trace_id: str) -> list[Entry]:
        """What was said of a trace, the oldest first."""
        query = select(feedback).where(feedback.c.trace_id == trace_id).order_by(feedback.c.created_at, feedback.c.author)
        with told(self.engine.url), self.engine.connect() as connection:
            return [Entry(**row) for row in connection.execute(query).mappings()]
