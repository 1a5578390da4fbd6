"""An answer where there is one, a refusal where there is none."""

import pytest

from evals.scorers.refusal import Refusal
from rag.trace import Outcome
from tests.evals.scorers.examples import case, trace


@pytest.mark.parametrize("answerable", [True, False])
@pytest.mark.parametrize("outcome", [*Outcome, None])
def test_one_outcome_is_right(outcome: Outcome | None, answerable: bool) -> None:
    right = (outcome, answerable) in [(Outcome.ANSWERED, True), (Outcome.REFUSED, False)]
    assert Refusal().score(trace(outcome), case(answerable=answerable)) == {"refusal_correct": float(right)}
