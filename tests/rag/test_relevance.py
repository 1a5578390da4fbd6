"""Enough evidence, or a refusal: where the line is, the collection says."""

import pytest

from rag.relevance import OUT_OF_DOMAIN, Relevance, evidence, fit
from rag.types import Chunk


def chunk(text: str, language: str = "en") -> Chunk:
    return Chunk(
        id=text, document_id="guide", source="guide.md", title="", text=text, start=0, end=len(text), tokens=9, language=language
    )


def test_evidence_is_cosine_and_the_terms_that_one_chunk_has() -> None:
    chunks = [chunk("The valve closes."), chunk("A pump is replaced by the operator.")]
    assert evidence("Who replaces the pumps?", ["en"], 0.5, chunks) == pytest.approx(0.7 * 0.5 + 0.3)
    assert evidence("Who replaces the pumps?", ["en"], 0.5, chunks[:1]) == pytest.approx(0.7 * 0.5)
    assert evidence("Which pump or valve?", ["en"], 0.0, chunks) == pytest.approx(0.3 / 2)


def test_only_the_best_chunks_are_looked_at() -> None:
    assert evidence("pump", ["en"], 0.0, [*map(chunk, "abc"), chunk("pump")]) == 0


@pytest.mark.parametrize("question", ["", "?!"])
def test_a_question_of_nothing_has_no_coverage(question: str) -> None:
    assert evidence(question, ["en"], 0.0, [chunk("pump")]) == 0


def test_chunks_are_read_in_their_language_and_questions_in_the_collections() -> None:
    assert evidence("Häuser", ["en", "de"], 0.0, [chunk("das Haus", "de")]) == pytest.approx(0.3 / 2)


def test_the_threshold_lies_between_strangers_and_its_own() -> None:
    relevance = fit(own=[0.6] * 20, foreign=[0.2] * 20)
    assert relevance.threshold == pytest.approx(0.4)
    assert relevance.relevant(0.41)
    assert not relevance.relevant(0.39)


def test_a_collection_about_everything_refuses_few_of_its_own() -> None:
    own = [index / 100 for index in range(101)]
    assert fit(own, foreign=[0.9] * 20).threshold == pytest.approx(0.05)


def test_without_anything_learnt_nothing_is_refused_that_has_evidence() -> None:
    assert fit([], []) == Relevance()
    assert Relevance().relevant(0.0)


def test_strangers_are_many_and_distinct() -> None:
    assert len(set(OUT_OF_DOMAIN)) == len(OUT_OF_DOMAIN) == 60
