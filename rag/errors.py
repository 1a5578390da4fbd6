"""The errors that people read: each is a `GroundwireError`, with the problem and its remedy.

Knows which failures are worth another try. Knows no provider.
"""

from typing import Self

from prompts.errors import GroundwireError, NotFoundError

__all__ = ["ConfigurationError", "GroundwireError", "NotFoundError", "StorageError", "UpstreamError"]


class ConfigurationError(GroundwireError):
    """A variant, or something it names, cannot be used: the operator's mistake, not the caller's."""


class StorageError(GroundwireError):
    """The ledger or an index cannot be read or written: the operator's problem, not the caller's."""


class UpstreamError(GroundwireError):
    """A model call that failed."""

    retryable: bool
    """The same call may succeed later."""
    retry_after: float | None
    """Seconds to wait before the next call, if the provider said so."""
    timed_out: bool
    """It did not answer in time."""
    throttled: bool
    """The provider asked to be called less often."""
    billed: bool
    """It may have been charged for; false only if the provider refused it or was never reached."""

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

    @classmethod
    def unavailable(cls, problem: str, mend: str) -> Self:
        """No call was made, and to try again does not help."""
        return cls(problem, mend, retryable=False, billed=False)
