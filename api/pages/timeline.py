"""When what happened in a request: its stages and its calls to models on one axis of time.

Knows a trace's times. Knows nothing of how they are drawn.
"""

from typing import NamedTuple

from rag.trace import Trace

STAGES = ("queue", "rewrite", "embed", "retrieve", "log", "pack", "generate", "validate", "judge")
"""In the order they begin."""


class Step(NamedTuple):
    """A stage, or a call. Times are milliseconds since the request began."""

    name: str
    detail: str
    kind: str
    start: float
    took: float


def timeline(trace: Trace) -> list[Step]:
    """The stages laid end to end, for a trace keeps how long each took; the calls where they were."""
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
