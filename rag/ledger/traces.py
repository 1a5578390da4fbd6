"""The log of requests: one row each, begun before the first upstream call and settled at the end.

Knows group commit: rows that arrive while a commit is under way share the next one. Knows nothing of how a request runs.
"""

import os
import queue
import socket
import threading
import uuid
from asyncio import wrap_future
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select, update

from rag.errors import GroundwireError
from rag.ledger.database import told
from rag.ledger.schema import traces
from rag.trace import Outcome, Trace

GROUP = 256
"""Most rows in one commit."""

OWNER = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}"
"""This process, told from an earlier one that had its id."""

Row = dict[str, Any]
Entry = tuple[Row, Future[None]]


class Traces:
    """Reads and writes traces. A thread of its own writes; `close` waits for it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._entries: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._starting = threading.Lock()

    async def record(self, trace: Trace) -> None:
        """Write the trace, in place of an earlier row of the same id; returns when it is committed."""
        await wrap_future(self.submit(trace))

    def submit(self, trace: Trace) -> Future[None]:
        """As `record`, for callers that cannot wait, such as a request that is being cancelled."""
        self._start()
        done: Future[None] = Future()
        self._entries.put((_row(trace), done))
        return done

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

    def close(self) -> None:
        """Commit what is waiting and end the writer."""
        with self._starting:
            if self._writer:
                self._entries.put(None)
                self._writer.join()
                self._writer = None

    def _start(self) -> None:
        with self._starting:
            if self._writer is None:
                self._writer = threading.Thread(target=self._write_groups, name="trace-log", daemon=True)
                self._writer.start()

    def _write_groups(self) -> None:
        ended = False
        while not ended:
            group = [self._entries.get()]
            while len(group) < GROUP and not self._entries.empty():
                group.append(self._entries.get())
            ended = None in group
            self._commit([entry for entry in group if entry])

    def _commit(self, entries: Sequence[Entry]) -> None:
        error: BaseException | None = None
        try:
            with told(self.engine.url), self.engine.begin() as connection:
                _write(connection, [row for row, _ in entries])
        except Exception as raised:  # noqa: BLE001 - it is raised where each row is waited for
            error = raised
        for _, done in entries:
            if done.set_running_or_notify_cancel():
                done.set_exception(error) if error else done.set_result(None)


def _write(connection: Connection, group: Sequence[Row]) -> None:
    newest = {row["id"]: row for row in group}
    if newest:
        connection.execute(delete(traces).where(traces.c.id.in_(newest)))
        connection.execute(insert(traces), list(newest.values()))


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
