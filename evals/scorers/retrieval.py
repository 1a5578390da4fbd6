"""Whether the documents that hold the answer were sent to the model, and how high they stood.

Knows document ids, in the order of their first passage. Knows nothing of what the model made of them.
"""

from evals.cases import Case
from evals.ranking import ndcg, recall, reciprocal_rank
from evals.scorers.base import Metric, Scores
from rag.trace import Trace


class Retrieval:
    """Over all that was sent, however much that is; where nothing was, all metrics are 0."""

    identity = "retrieval@1"
    metrics = (
        Metric(name="recall", label="retrieval recall", better="higher", unit="share"),
        Metric(name="reciprocal_rank", label="reciprocal rank", better="higher", unit="share"),
        Metric(name="ndcg", label="nDCG", better="higher", unit="share"),
    )

    def score(self, trace: Trace, case: Case) -> Scores:
        """Nothing where the case names no gold documents."""
        if not case.gold_ids:
            return {}
        ranking = list(dict.fromkeys(passage.document_id for passage in trace.passages))
        gains = dict.fromkeys(case.gold_ids, 1)
        return {
            "recall": recall(ranking, gains),
            "reciprocal_rank": reciprocal_rank(ranking, gains),
            "ndcg": ndcg(ranking, gains),
        }
