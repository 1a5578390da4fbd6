"""How much of an answer its passages support, as the model stated it and as it was released, by the verdicts on its claims.

Knows verdicts. Knows no passage: the validator that gave them is named in the trace.
"""

from collections import Counter

from evals.cases import Case
from evals.scorers.base import FAILED, Metric, Missing, Scores
from rag.answer.withholding import UNGROUNDED
from rag.trace import Outcome, Trace, hallucinates
from rag.types import Verdict


class Grounding:
    """A refusal claims nothing, whatever words it is made of. What a failed request would have claimed is missing: it must not pass
    for an answer without hallucinations.
    """

    identity = "grounding@2"
    metrics = (
        Metric(name="hallucination", label="hallucination rate", better="lower", unit="binary"),
        Metric(name="released_hallucination", label="released hallucination rate", better="lower", unit="binary"),
        Metric(name="grounded_share", label="grounded share", better="higher", unit="share"),
        Metric(name="uncertain_share", label="uncertain share", better="lower", unit="share"),
    )

    def score(self, trace: Trace, case: Case) -> Scores:
        """The shares are those of released claims: there are none where nothing is claimed."""
        if not trace.succeeded:
            return {metric.name: Missing(reason=FAILED) for metric in self.metrics}
        claims = trace.claims if trace.outcome is Outcome.ANSWERED else ()
        verdicts = Counter(claim.verdict for claim in claims)
        rates = {
            "hallucination": float(bool(hallucinates(trace.outcome, trace.ungrounded))),
            "released_hallucination": float(any(verdicts[verdict] for verdict in UNGROUNDED)),
        }
        if not claims:
            return rates
        return {
            **rates,
            "grounded_share": verdicts[Verdict.SUPPORTED] / len(claims),
            "uncertain_share": verdicts[Verdict.UNCERTAIN] / len(claims),
        }
