"""The log of requests: one row each, begun before the first upstream call and settled at the end.

Knows a row's columns, and whose rows are abandoned. Knows nothing of how a request runs.
"""

import os
import socket
import uuid
from asyncio import wrap_future
from concurrent.futures import Future

from sqlalchemy import Engine, select, update

from rag.errors import GroundwireError
from rag.ledger.database import told
from rag.ledger.schema import traces
from rag.ledger.writer import Row, Writer
from rag.trace import Outcome, Trace

OWNER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
"""This process, told from an earlier one that had its id."""


class Traces:
    """Reads and writes traces."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self.engine = engine
        self._writer = writer

    async def record(self, trace: Trace) -> None:
        """Write the trace, in place of an earlier row of the same id; returns when it is committed."""
        await wrap_future(self.submit(trace))

    def submit(self, trace: Trace) -> Future[None]:
        """As `record`, for callers that cannot wait, such as a request that is being cancelled."""
        return self._writer.submit(traces, _row(trace))

    def get(self, id: str) -> Trace:
        """The trace whose id is, or begins with, `id`. Raises `GroundwireError` where there is none, or more than one."""
        with told(self.engine.url), self.engine.connect() as connection:
            rows = connection.execute(select(traces.c.body).where(traces.c.id.startswith(id, autoescape=True)).limit(2)).all()
        if len(rows) != 1:
            problem = f"no trace has the id {id}" if not rows else f"more than one trace id begins with {id}"
            raise GroundwireError(problem, "`rag trace` lists the latest ones")
        return Trace.model_validate_json(rows[0].body)

    def latest(self, limit: int, since: str = "") -> list[Trace]:
        """At most `limit` traces, newest first, begun at or after `since` (ISO 8601, UTC)."""
        query = select(traces.c.body).where(traces.c.created_at >= since).order_by(traces.c.created_at.desc(), traces.c.id.desc())
        with told(self.engine.url), self.engine.connect() as connection:
            return [Trace.model_validate_json(row.body) for row in connection.execute(query.limit(limit))]

    def settle_abandoned(self) -> int:
        """End as failed what processes of this host that are gone have left running; returns how many."""
        host = OWNER.partition(":")[0]
        with told(self.engine.url), self.engine.begin() as connection:
            query = select(traces.c.body, traces.c.owner).where(traces.c.outcome.is_(None), traces.c.owner.startswith(f"{host}:"))
            gone = [Trace.model_validate_json(row.body) for row in connection.execute(query).all() if not _lives(row.owner)]
            settled = 0
            for trace in gone:
                # A row that was settled since it was read is left as it is.
                still = update(traces).where(traces.c.id == trace.id, traces.c.outcome.is_(None))
                settled += connection.execute(still.values(_row(_abandoned(trace)))).rowcount
        return settled


def _row(trace: Trace) -> Row:
    usage = trace.usage
    return {
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
    }


def _abandoned(trace: Trace) -> Trace:
    return trace.model_copy(update={"outcome": Outcome.FAILED, "reason": "the process ended before the answer did"})


def _lives(owner: str) -> bool:
    """Whether the process that began a row on this host still runs; another with this one's id is long gone."""
    pid = int(owner.split(":")[1])
    if pid == os.getpid():
        return owner == OWNER
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
