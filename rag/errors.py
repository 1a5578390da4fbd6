"""What can go wrong between us and what we call; everything people read is a `GroundwireError`.

Knows which failures are worth another try. Knows no provider.
"""

from prompts.errors import GroundwireError, NotFoundError

__all__ = ["ConfigurationError", "GroundwireError", "NotFoundError", "StorageError", "UpstreamError"]


class ConfigurationError(GroundwireError):
    """A variant, or what it names, that cannot be used: no fault of who asked."""


class StorageError(GroundwireError):
    """The ledger or an index that cannot be read or written: no fault of who asked."""


class UpstreamError(GroundwireError):
    """A model call that failed. `retryable`: the same call may succeed later; `retry_after`: seconds the provider asked for;
    `throttled`: it asked to be called less; `billed`: false only where it certainly charged nothing, because it refused or was never
    reached.
    """

    def __init__(
        self,
        problem: str,
        mend: str,
        *,
        retryable: bool,
        retry_after: float | None = None,
        timed_out: bool = False,
        throttled: bool = False,
        billed: bool = True,
    ) -> None:
        super().__init__(problem, mend)
        self.retryable = retryable
        self.retry_after = retry_after
        self.timed_out = timed_out
        self.throttled = throttled
        self.billed = billed
