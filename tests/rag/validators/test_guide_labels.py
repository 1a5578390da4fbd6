from pathlib import Path

import pytest

from evals.grounding.gate import gated, load_labelled, released
from evals.grounding.labels import load
from rag.answer.claims import statements
from rag.answer.release import Policy, release
from rag.answer.withholding import Uncertain
from rag.llms.base import REFUSAL
from rag.validators import open_validator
from rag.validators.lexical import LexicalValidator

LABELS = Path(__file__).parents[3] / "data" / "labels"
LABELLED = load_labelled(LABELS / "guide.jsonl", LABELS / "drafts" / "guide.jsonl")


def test_what_is_labelled() -> None:
    assert len(LABELLED) == 60
    ungated = gated(LABELLED, LexicalValidator()).ungated
    assert (ungated.claims, ungated.hallucinated, ungated.hallucinated_answers) == (230, 138, 39)


def test_every_claim_is_labelled() -> None:
    """A change of the splitter asks for labels again."""
    for draft, places in LABELLED:
        unlabelled = [
            statement.text
            for statement in statements(draft.draft)
            if not any(place.start < statement.end and statement.start < place.end for place in places)
        ]
        assert not unlabelled, draft.id


def test_every_hallucination_says_why() -> None:
    unexplained = [
        label.id
        for label in load(LABELS / "guide.jsonl")
        if label.hallucinated and not (isinstance(label.meta, dict) and label.meta.get("note"))
    ]
    assert not unexplained


def test_what_stands_is_released_as_it_was_written() -> None:
    validator = LexicalValidator()
    for draft, places in LABELLED:
        claims = validator.validate(draft.question, draft.draft, draft.passages)
        text = release(Policy.QUOTE, draft.draft, claims, draft.passages, REFUSAL).text
        standing, _ = released(draft, places, validator, Uncertain.PASS)
        assert all(draft.draft[place.start : place.end] in text for place in standing)


@pytest.mark.parametrize("name", ["lexical", "local"])
def test_a_reader_of_the_default_variant_meets_a_quarter_of_the_hallucinations(name: str) -> None:
    found = gated(LABELLED, open_validator(name), Uncertain.WITHHOLD)
    assert found.gated.claim_rate <= found.ungated.claim_rate / 4, found
    assert found.gated.answer_rate <= found.ungated.answer_rate / 3, found
    assert found.kept > 0.4, found


def test_passing_what_is_uncertain_lets_most_of_them_through() -> None:
    found = gated(LABELLED, open_validator("lexical"))
    assert found.ungated.claim_rate / 2 < found.gated.claim_rate < found.ungated.claim_rate
    assert found.kept > 0.9, found
