"""What an answer took: time, tokens, money; and whether it came at all.

Knows units. A replayed call counts with what it took and cost when it was made.
"""

from evals.cases import Case
from evals.scorers.base import Metric, Missing, Scores
from rag.trace import Trace


class Resources:
    """Failed requests count with what was spent on them."""

    identity = "resources@1"
    metrics = (
        Metric(name="latency", label="latency", better="lower", unit="seconds"),
        Metric(name="first_token", label="time to first token", better="lower", unit="seconds"),
        Metric(name="prompt_tokens", label="prompt tokens", better="lower", unit="tokens"),
        Metric(name="completion_tokens", label="completion tokens", better="lower", unit="tokens"),
        Metric(name="cost", label="cost of 1,000 answers", better="lower", unit="dollars"),
        Metric(name="failed", label="failure rate", better="lower", unit="binary"),
    )

    def score(self, trace: Trace, case: Case) -> Scores:
        """No `first_token` where no text reached the reader, no model was called, or it sent its answer in one piece."""
        usage = trace.usage
        streamed = any(attempt.first_token_ms is not None for attempt in trace.attempts)
        first = {"first_token": trace.first_text_ms / 1e3} if streamed and trace.first_text_ms is not None else {}
        return {
            "latency": Missing(reason="the request never ended") if trace.latency_ms is None else trace.latency_ms / 1e3,
            **first,
            "prompt_tokens": float(usage.prompt),
            "completion_tokens": float(usage.completion),
            "cost": _cost(trace),
            "failed": float(not trace.succeeded),
        }


def _cost(trace: Trace) -> float | Missing:
    """Dollars, or the first call of which it is not known."""
    for attempt in trace.attempts:
        if attempt.cost_nanodollars is None:
            what = f"what a failed call of {attempt.model} cost" if attempt.error else f"the price of {attempt.model}"
            return Missing(reason=f"{what} is not known")
    return (trace.cost_nanodollars or 0) / 1e9
