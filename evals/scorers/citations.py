"""Whether an answer cites what supports it, claim by claim (after Gao et al., 2023).

Knows which citations stand at which claim, and which of them the validator found wrong. Knows no passage.
"""

from evals.cases import Case
from evals.scorers.base import FAILED, Metric, Missing, Scores
from rag.trace import Outcome, Trace


class Citations:
    """A claim that cites nothing lowers recall and leaves precision alone; an answer that cites nothing has no precision."""

    identity = "citations@1"
    metrics = (
        Metric(name="citation_precision", label="citation precision", better="higher", unit="share"),
        Metric(name="citation_recall", label="citation recall", better="higher", unit="share"),
    )

    def score(self, trace: Trace, case: Case) -> Scores:
        """Nothing where nothing is claimed; what a failed request would have cited is missing."""
        if not trace.succeeded:
            return {metric.name: Missing(reason=FAILED) for metric in self.metrics}
        claims = trace.claims if trace.outcome is Outcome.ANSWERED else ()
        if not claims:
            return {}
        good = [len(set(claim.citations).difference(claim.miscited)) for claim in claims]
        cited = sum(len(set(claim.citations)) for claim in claims)
        recall = {"citation_recall": sum(map(bool, good)) / len(claims)}
        return {"citation_precision": sum(good) / cited, **recall} if cited else recall
