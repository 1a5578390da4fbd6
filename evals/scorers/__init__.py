"""All that is known of one answer as numbers: the scorers together.

Knows that a scorer may fail, and that its failure is a counted value. Knows no method.
"""

import math
from collections.abc import Mapping, Sequence

from evals.cases import Case
from evals.scorers.base import Metric, Missing, Scorer
from rag.errors import GroundwireError
from rag.trace import Trace


def open_scorers() -> tuple[Scorer, ...]:
    """Those that need no model, in the order in which their metrics are shown."""
    from evals.scorers.citations import Citations
    from evals.scorers.grounding import Grounding
    from evals.scorers.overlap import Overlap
    from evals.scorers.refusal import Refusal
    from evals.scorers.resources import Resources
    from evals.scorers.retrieval import Retrieval

    return Overlap(), Retrieval(), Grounding(), Citations(), Refusal(), Resources()


def metrics(scorers: Sequence[Scorer]) -> Mapping[str, Metric]:
    """All that these scorers may give, by name. Raises `GroundwireError` where two of them give the same."""
    givers: dict[str, Scorer] = {}
    for scorer in scorers:
        for metric in scorer.metrics:
            other = givers.setdefault(metric.name, scorer)
            if other is not scorer:
                problem = f"scorers {other.identity} and {scorer.identity} both give {metric.name}"
                raise GroundwireError(problem, "give the metric of one of them another name")
    return {metric.name: metric for scorer in scorers for metric in scorer.metrics}


def score(trace: Trace, case: Case, scorers: Sequence[Scorer]) -> dict[str, float | Missing]:
    """Every metric that applies. What a scorer raises, and a value that is no finite number, is `Missing` with its reason.

    Raises `GroundwireError` where two scorers give the same metric.
    """
    metrics(scorers)
    return {name: value for scorer in scorers for name, value in _scores(scorer, trace, case).items()}


def _scores(scorer: Scorer, trace: Trace, case: Case) -> dict[str, float | Missing]:
    try:
        return {name: _finite(value, scorer) for name, value in scorer.score(trace, case).items()}
    except Exception as error:  # noqa: BLE001 - one scorer's fault, whatever it is, costs its own metrics only
        lost = Missing(reason=f"{scorer.identity} failed ({type(error).__name__}: {' '.join(str(error).split())})")
        return {metric.name: lost for metric in scorer.metrics}


def _finite(value: float | Missing, scorer: Scorer) -> float | Missing:
    if isinstance(value, Missing) or math.isfinite(value):
        return value
    return Missing(reason=f"{scorer.identity} gave {value}")
