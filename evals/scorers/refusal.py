"""Whether it was right to answer, or to refuse. Knows outcomes; knows nothing of what was said."""

from evals.cases import Case
from evals.scorers.base import Metric, Scores
from rag.trace import Outcome, Trace


class Refusal:
    """1 for an answer where there is one, and for a refusal where there is none; 0 for anything else, a failure too."""

    identity = "refusal@1"
    metrics = (Metric(name="refusal_correct", label="answered or refused rightly", better="higher", unit="binary"),)

    def score(self, trace: Trace, case: Case) -> Scores:
        """Applies to every case."""
        right = Outcome.ANSWERED if case.answerable else Outcome.REFUSED
        return {"refusal_correct": float(trace.outcome is right)}
