"""All scorers together: one that fails takes no other with it, and nothing that is no number is passed on."""

import math
from collections.abc import Mapping

import pytest

from evals.cases import Case
from evals.scorers import metrics, open_scorers, score
from evals.scorers.base import Metric, Missing
from evals.scorers.refusal import Refusal
from rag.errors import GroundwireError
from rag.trace import Trace
from tests.evals.scorers.examples import answered, case, passages


class Fixed:
    """Gives what it is told to; raises it where that is an error."""

    def __init__(self, given: Mapping[str, float | Missing] | Exception, *names: str) -> None:
        self.identity = "fixed@1"
        self.metrics = tuple(Metric(name=name, label=name, better="higher", unit="share") for name in names)
        self.given = given

    def score(self, trace: Trace, case: Case) -> Mapping[str, float | Missing]:
        if isinstance(self.given, Exception):
            raise self.given
        return self.given


def test_the_metrics_of_all() -> None:
    names = list(metrics(open_scorers()))
    assert names == [
        *("exact_match", "f1", "rouge1", "rouge2", "rougeL", "bleu", "chrf"),
        *("recall", "reciprocal_rank", "ndcg"),
        *("hallucination", "released_hallucination", "grounded_share", "uncertain_share"),
        *("citation_precision", "citation_recall", "refusal_correct"),
        *("latency", "first_token", "prompt_tokens", "completion_tokens", "cost", "failed"),
    ]


def test_the_scores_of_all_together() -> None:
    trace = answered("At nine [1].", passages=passages("pool.md"), total_ms=100.0)
    scores = score(trace, case(references=("at nine",), gold_ids=("pool.md",)), open_scorers())
    assert [scores[name] for name in ("exact_match", "recall", "hallucination", "refusal_correct", "latency")] == [
        1,
        1,
        0,
        1,
        0.1,
    ]
    assert "grounded_share" not in scores


def test_a_scorer_that_fails_is_missing_with_its_reason_and_takes_no_other_with_it() -> None:
    scores = score(answered("Nine."), case(), [Fixed(ValueError("no\nluck"), "x", "y"), Refusal()])
    lost = Missing(reason="fixed@1 failed (ValueError: no luck)")
    assert scores == {"x": lost, "y": lost, "refusal_correct": 1}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_missing(value: float) -> None:
    scores = score(answered("Nine."), case(), [Fixed({"x": value, "y": 0.5}, "x", "y")])
    assert scores == {"x": Missing(reason=f"fixed@1 gave {value}"), "y": 0.5}


def test_what_a_scorer_calls_missing_stays_so() -> None:
    missing = Missing(reason="nobody knows")
    assert score(answered("Nine."), case(), [Fixed({"x": missing}, "x")]) == {"x": missing}


def test_two_scorers_may_not_give_the_same_metric() -> None:
    with pytest.raises(GroundwireError, match="scorers refusal@1 and fixed@1 both give refusal_correct"):
        score(answered("Nine."), case(), [Refusal(), Fixed({}, "refusal_correct")])
