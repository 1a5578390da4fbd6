"""Verdicts on claims, as shares and as a rate."""

import pytest

from evals.scorers.base import Missing
from evals.scorers.grounding import Grounding
from rag.trace import Outcome
from rag.types import Verdict
from tests.evals.scorers.examples import answered, case, claim, failed, refused

GROUNDING = Grounding()
SUPPORTED, UNCERTAIN, UNSUPPORTED, CONTRADICTED = Verdict


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((SUPPORTED,), (1, 0, 0)),
        ((SUPPORTED, SUPPORTED, UNCERTAIN, UNSUPPORTED), (0.5, 1, 0.25)),
        ((SUPPORTED, CONTRADICTED), (0.5, 1, 0)),
        ((UNCERTAIN,), (0, 0, 1)),
    ],
)
def test_claims_are_counted_by_verdict(verdicts: tuple[Verdict, ...], expected: tuple[float, ...]) -> None:
    scores = GROUNDING.score(answered("It opens at nine.", claims=tuple(map(claim, verdicts))), case())
    assert tuple(scores[name] for name in ("grounded_share", "released_hallucination", "uncertain_share")) == expected
    assert scores["hallucination"] == scores["released_hallucination"]


def test_an_answer_that_claims_nothing_hallucinates_nothing() -> None:
    assert GROUNDING.score(answered("Hello!"), case()) == {"hallucination": 0, "released_hallucination": 0}


@pytest.mark.parametrize("claims", [(), (claim(UNSUPPORTED),)])
def test_a_refusal_claims_nothing_whatever_its_words(claims: tuple[object, ...]) -> None:
    assert GROUNDING.score(refused(claims=claims), case()) == {"hallucination": 0, "released_hallucination": 0}


@pytest.mark.parametrize("verdict", [UNSUPPORTED, CONTRADICTED])
def test_what_a_policy_withheld_was_stated_and_did_not_reach_the_reader(verdict: Verdict) -> None:
    quoted = answered("It opens at nine.", claims=(claim(SUPPORTED),), withheld=(claim(verdict),))
    for trace in (quoted, refused(withheld=(claim(verdict),))):
        scores = GROUNDING.score(trace, case())
        assert (scores["hallucination"], scores["released_hallucination"]) == (1, 0)
    assert GROUNDING.score(answered("Hello!", withheld=(claim(UNCERTAIN),)), case())["hallucination"] == 0


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT, Outcome.DISCONNECTED, None])
def test_a_failed_request_does_not_pass_for_an_honest_one(outcome: Outcome | None) -> None:
    missing = Missing(reason="the request failed")
    expected = {metric.name: missing for metric in GROUNDING.metrics}
    assert GROUNDING.score(failed(outcome, answer="It opens"), case()) == expected
