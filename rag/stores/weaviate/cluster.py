"""The nodes of a Weaviate cluster as one server: if a node is gone, the call goes to another.

Knows how long, and in which order, nodes are tried. Knows no transport, and nothing of what is stored there.
"""

import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from weaviate import WeaviateClient
from weaviate.classes.config import ConsistencyLevel
from weaviate.collections import Collection

from rag.errors import StorageError
from rag.stores.weaviate.address import Address
from rag.stores.weaviate.connection import Connection, Precondition, Result
from rag.stores.weaviate.failures import UnavailableError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0


class Cluster:
    """Calls one node, and another if that one is gone. Thread-safe."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._connections = [Connection(node, address) for node in address.nodes]
        self._at = secrets.randbelow(len(self._connections))
        self._failing: _Failing | None = None
        self._lock = threading.Lock()

    def call(
        self, operation: Callable[[WeaviateClient], Result], precondition: Precondition | None = None, *, patient: bool = False
    ) -> Result:
        """Run `operation` on a node that meets the precondition, retrying on others. It may run more than once.

        Raises `StorageError` if no node answers within the retry window, or if one rejects the call, and
        `ConfigurationError` at once if the key is wrong. `patient` callers have a longer window of their own; the
        others share one: in a long outage each of their calls tries every node once, and then fails.
        """
        began, pause = time.monotonic(), _FIRST_PAUSE
        window = self.address.patience if patient else self.address.retry
        untried = set(range(len(self._connections)))
        while True:
            at = self._at
            try:
                result = self._connections[at].call(operation, precondition)
                self._failing = None
                return result
            except UnavailableError as error:
                untried.discard(at)
                self._leave(at, untried)
                since = began if patient else self._failing_since(began)
                if not untried and time.monotonic() + pause > since + window:
                    nodes = ", ".join(map(str, self.address.nodes))
                    raise error.lasting or StorageError(
                        f"Weaviate at {nodes} does not answer ({error})",
                        "start it, or set GROUNDWIRE_INDEX to where it listens (grpc= is its gRPC port)",
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def call_on(
        self,
        name: str,
        operation: Callable[[Collection[Any, Any]], Result],
        precondition: Callable[[Collection[Any, Any]], None] | None = None,
        *,
        patient: bool = False,
    ) -> Result:
        """Like `call`, on one collection, at the consistency level of the address."""
        level = ConsistencyLevel[self.address.consistency.upper()]

        def there(client: WeaviateClient) -> Collection[Any, Any]:
            return client.collections.use(name).with_consistency_level(level)

        required = Precondition(name, lambda client: precondition(there(client))) if precondition else None
        return self.call(lambda client: operation(there(client)), required, patient=patient)

    def close(self) -> None:
        """Close all connections; later calls raise `StorageError`."""
        for connection in self._connections:
            connection.close()

    def _leave(self, at: int, untried: set[int]) -> None:
        """Switch to a random other node; taking the next one would herd all processes onto the same node."""
        with self._lock:
            if self._at == at or (untried and self._at not in untried):
                others = untried or set(range(len(self._connections))) - {at} or {at}
                self._at = secrets.choice(sorted(others))

    def _failing_since(self, began: float) -> float:
        """When the current outage began: the start of the first of the calls that failed in a row, up to this one,
        started at `began`.
        """
        with self._lock:
            before = self._failing
            follows = before is not None and began - before.last < self.address.retry
            since = min(before.since, began) if before and follows else began
            self._failing = _Failing(since, time.monotonic())
            return since


class _Failing(NamedTuple):
    """An outage: calls in a row that all failed. Seconds by `time.monotonic`."""

    since: float
    """When the first call began."""
    last: float
    """When the last call failed."""
