"""The trace of a request while it runs: what has happened so far, and how long each stage took.

Knows the clock of a request. Knows no stage, and nothing of where the trace is stored.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rag.events import Delta
from rag.llms.base import CallLog
from rag.trace import Outcome, Trace


class Recording:
    """One request that runs. `waited`: seconds since it came, which count as its time."""

    def __init__(self, trace: Trace, waited: float = 0.0) -> None:
        self.trace = trace
        self.calls = CallLog(time.perf_counter() - waited)
        self.in_turn = False
        """Whether a model is being called."""
        self.fence = ""
        """What stands around the passages in the messages."""
        self.cut_off = False
        """Whether the draft ended at its token limit."""

    def elapsed_ms(self) -> float:
        """Milliseconds since the request began."""
        return (time.perf_counter() - self.calls.started) * 1000

    def note(self, **fields: Any) -> None:
        """Set fields of the trace."""
        self.trace = self.trace.model_copy(update=fields)

    def end(self, outcome: Outcome, reason: str | None = None) -> None:
        """Close the trace; what was noted so far stays."""
        self.note(outcome=outcome, reason=reason, attempts=tuple(self.calls.attempts), total_ms=self.elapsed_ms())

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time spent inside to a stage, without the time of stages within it."""
        entered, others = time.perf_counter(), sum(self.trace.stages.values())
        try:
            yield
        finally:
            spent = (time.perf_counter() - entered) * 1000 - (sum(self.trace.stages.values()) - others)
            self.note(stages={**self.trace.stages, name: self.trace.stages.get(name, 0.0) + spent})

    def delta(self, text: str) -> Delta:
        """Add a piece of text to the answer; returned is the event that brings it to the reader."""
        if self.trace.first_token_ms is None:
            self.note(first_token_ms=self.elapsed_ms())
        self.note(answer=self.trace.answer + text)
        return Delta(text)
