"""What was sent is judged by document, in the order of the passages."""

import pytest

from evals.scorers.retrieval import Retrieval
from rag.trace import Outcome
from tests.evals.scorers.examples import answered, case, failed, passages, refused

RETRIEVAL = Retrieval()


@pytest.mark.parametrize(
    ("sent", "gold", "expected"),
    [
        (("a",), ("a",), (1, 1, 1)),
        (("b", "b", "a"), ("a",), (1, 0.5, 0.6309)),
        (("b",), ("a",), (0, 0, 0)),
        (("a", "x"), ("a", "b"), (0.5, 1, 0.6131)),
        (("a",), ("a", "a"), (1, 1, 1)),
        (("A", "a.md"), ("a",), (0, 0, 0)),
    ],
)
def test_documents_in_the_order_of_their_first_passage(
    sent: tuple[str, ...], gold: tuple[str, ...], expected: tuple[float, ...]
) -> None:
    scores = RETRIEVAL.score(answered("Nine.", passages=passages(*sent)), case(gold_ids=gold))
    assert [scores[name] for name in ("recall", "reciprocal_rank", "ndcg")] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("trace", [refused(), failed()])
def test_where_nothing_was_sent_nothing_was_found(trace: object) -> None:
    assert RETRIEVAL.score(trace, case(gold_ids=("a",))) == {"recall": 0, "reciprocal_rank": 0, "ndcg": 0}


def test_what_was_sent_counts_though_the_model_failed() -> None:
    assert RETRIEVAL.score(failed(Outcome.TIMED_OUT, passages=passages("a")), case(gold_ids=("a",)))["recall"] == 1


def test_without_gold_documents_nothing_is_said() -> None:
    assert RETRIEVAL.score(answered("Nine.", passages=passages("a")), case()) == {}
