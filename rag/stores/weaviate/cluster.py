"""The nodes of a Weaviate cluster as if they were one server: another is asked where one is gone.

Knows how long, and in which order, nodes are tried. Knows no transport, and nothing of what is kept there.
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
    """Calls one node, and another where that is gone. Safe to call from several threads."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._connections = [Connection(node, address) for node in address.nodes]
        self._at = secrets.randbelow(len(self._connections))
        self._failing: _Failing | None = None
        self._lock = threading.Lock()

    def call(
        self, operation: Callable[[WeaviateClient], Result], precondition: Precondition | None = None, *, patient: bool = False
    ) -> Result:
        """The result of `operation`, which may be called more than once; on nodes only that meet the precondition.

        Raises `StorageError` where no node answers within the retry window, or one refuses the call; `ConfigurationError` at once
        where the key is wrong. The window of who is `patient` is longer, and its own. All others share theirs: where calls have
        failed for as long already, each node is tried once more, and whoever waits is told.
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
        """As `call`, on one collection at the consistency level of the address."""
        level = ConsistencyLevel[self.address.consistency.upper()]

        def there(client: WeaviateClient) -> Collection[Any, Any]:
            return client.collections.use(name).with_consistency_level(level)

        required = Precondition(name, lambda client: precondition(there(client))) if precondition else None
        return self.call(lambda client: operation(there(client)), required, patient=patient)

    def close(self) -> None:
        """Whoever calls afterwards is refused."""
        for connection in self._connections:
            connection.close()

    def _leave(self, at: int, untried: set[int]) -> None:
        """For any other: were it the next one, all processes would come to call the same node, as each is once away."""
        with self._lock:
            if self._at == at or (untried and self._at not in untried):
                others = untried or set(range(len(self._connections))) - {at} or {at}
                self._at = secrets.choice(sorted(others))

    def _failing_since(self, began: float) -> float:
        """When the first of the calls began that failed one after another, the last of which is one that began now."""
        with self._lock:
            before = self._failing
            follows = before is not None and began - before.last < self.address.retry
            since = min(before.since, began) if before and follows else began
            self._failing = _Failing(since, time.monotonic())
            return since


class _Failing(NamedTuple):
    """Times by `time.monotonic`, in seconds, of calls of which none was answered."""

    since: float
    """When the first of them began."""
    last: float
    """When the last of them failed."""
