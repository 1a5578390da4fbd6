"""What a server is started with.

Knows the options of `api serve` that every process of a server shares. Knows no socket.
"""

from typing import NamedTuple


class Serving(NamedTuple):
    """The options of a server. Each of its processes has `slots` and a `queue` of its own."""

    collection: str
    """Answers a request that names no collection."""
    model: str
    """The variant or rollout that answers a request which names none."""
    slots: int = 64
    """Requests that are answered at once."""
    drain_seconds: float = 0.0
    """How long after SIGTERM the server still answers while it reports that it is not ready."""
    grace_seconds: int = 30
    """How long the requests in flight then have to end."""
    access_log: bool = False
    """Whether each request is a line of the log."""

    @property
    def queue(self) -> int:
        """Requests that may wait for a slot."""
        return self.slots // 2
