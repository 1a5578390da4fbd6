"""Baselines measure, and tell nothing."""

import pytest

from evals.grounding.baselines import MaximumCosine, UnigramPrecision
from evals.grounding.labels import passages
from rag.embedders import open_embedder
from rag.types import Verdict

CONTEXT = passages("The pump starts when the tank is full. Dogs are not allowed.")


def test_unigram_precision_is_the_share_of_words_that_are_there() -> None:
    (claim,) = UnigramPrecision().validate("?", "The pump starts slowly.", CONTEXT)
    assert (claim.score, claim.verdict, claim.probability) == (0.75, Verdict.UNCERTAIN, None)


def test_maximum_cosine_is_that_of_the_closest_sentence() -> None:
    cosine = MaximumCosine(open_embedder("hash"))
    said, other = (cosine.validate("?", text, CONTEXT)[0].score for text in ("Dogs are not allowed.", "Penguins swim."))
    assert said == pytest.approx(1, abs=1e-5)
    assert other < 0.9
    assert cosine.identity == f"maximum-cosine@1:{open_embedder('hash').identity}"


@pytest.mark.parametrize("baseline", [UnigramPrecision(), MaximumCosine(open_embedder("hash"))])
def test_nothing_said_is_nothing_claimed(baseline: UnigramPrecision | MaximumCosine) -> None:
    assert baseline.validate("?", " ", CONTEXT) == []
