"""The stages and model calls of a request on one axis of time.

Knows a trace's times. Knows nothing of how they are drawn.
"""

from typing import NamedTuple

from rag.trace import Trace

STAGES = ("queue", "rewrite", "embed", "retrieve", "log", "pack", "generate", "validate", "judge")
"""In the order in which they run."""


class Step(NamedTuple):
    """A stage or a model call. `start` is in milliseconds since the request began, `took` in milliseconds."""

    name: str
    detail: str
    kind: str
    start: float
    took: float


def timeline(trace: Trace) -> list[Step]:
    """The stages one after the other, because a trace has only their durations, and the calls at their start times."""
    steps, start = [], 0.0
    for name in sorted(trace.stages, key=lambda name: STAGES.index(name) if name in STAGES else len(STAGES)):
        steps.append(Step(name, "", "stage", start, trace.stages[name]))
        start += trace.stages[name]
    return steps + [
        Step(
            f"call: {attempt.purpose}",
            attempt.error or attempt.model,
            "error" if attempt.error else "call",
            attempt.started_ms,
            attempt.total_ms,
        )
        for attempt in trace.attempts
    ]
