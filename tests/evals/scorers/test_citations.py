"""Citations are held against the claims they stand at."""

import pytest

from evals.scorers.base import Missing
from evals.scorers.citations import Citations
from rag.trace import Outcome
from rag.types import Claim, Verdict
from tests.evals.scorers.examples import answered, case, claim, failed, refused

CITATIONS = Citations()
SUPPORTED, UNSUPPORTED = Verdict.SUPPORTED, Verdict.UNSUPPORTED


@pytest.mark.parametrize(
    ("claims", "precision", "recall"),
    [
        ((claim(SUPPORTED, [1]),), 1, 1),
        ((claim(SUPPORTED, [1, 2], [2]),), 1 / 2, 1),
        ((claim(SUPPORTED, [1]), claim(SUPPORTED)), 1, 1 / 2),
        ((claim(SUPPORTED, [1, 2]), claim(UNSUPPORTED, [3], [3]), claim(SUPPORTED)), 2 / 3, 1 / 3),
        ((claim(UNSUPPORTED, [9], [9]),), 0, 0),
    ],
)
def test_good_citations_of_all_and_claims_with_one(claims: tuple[Claim, ...], precision: float, recall: float) -> None:
    scores = CITATIONS.score(answered("It opens at nine.", claims=claims), case())
    assert scores == {"citation_precision": precision, "citation_recall": recall}


def test_where_nothing_is_cited_there_is_no_precision() -> None:
    assert CITATIONS.score(answered("It opens at nine.", claims=(claim(SUPPORTED),)), case()) == {"citation_recall": 0}


@pytest.mark.parametrize("trace", [answered("Hello!"), answered("[1][2]"), refused(), refused(claims=(claim(UNSUPPORTED),))])
def test_where_nothing_is_claimed_nothing_is_said(trace: object) -> None:
    assert CITATIONS.score(trace, case()) == {}


def test_what_a_failed_request_would_have_cited_is_missing() -> None:
    missing = Missing(reason="the request failed")
    assert CITATIONS.score(failed(Outcome.TIMED_OUT), case()) == {"citation_precision": missing, "citation_recall": missing}
