from rag.types import Passage
from rag.validators.windows import window

POOL = (
    "The pool opens at 9 in the morning. It closes at 22 every day of the week. Dogs are not allowed in the water. "
    "Tickets cost 12 euros. Children swim for free when an adult is with them."
)
GUIDE = "An index generation is immutable. It is built next to the old one. Then it is swapped in atomically."


def passages(*texts: str, title: str = "") -> list[Passage]:
    return [
        Passage(
            number=number, chunk_id="c", document_id="d", source="s", title=title, text=text, start=0, end=len(text), score=1.0
        )
        for number, text in enumerate(texts, start=1)
    ]


def test_the_closest_sentence_comes_first() -> None:
    found = window("Dogs may not go into the water.", passages(GUIDE, POOL), "en", words=6)
    assert found.text == "Dogs are not allowed in the water."
    assert [(evidence.passage, evidence.quote) for evidence in found.evidence] == [(2, found.text)]


def test_evidence_quotes_its_passage() -> None:
    texts = (GUIDE, POOL)
    found = window("A generation is swapped in when the pool closes.", passages(*texts), "en")
    assert found.evidence
    for evidence in found.evidence:
        assert texts[evidence.passage - 1][evidence.start : evidence.end] == evidence.quote


def test_parts_of_a_claim_are_found_in_several_passages() -> None:
    found = window("Tickets cost 12 euros and a generation is immutable.", passages(GUIDE, POOL), "en", words=10)
    assert found.text == "An index generation is immutable. Tickets cost 12 euros."
    assert {evidence.passage for evidence in found.evidence} == {1, 2}


def test_neighbours_are_joined_into_one_stretch() -> None:
    found = window("The pool closes at 22.", passages(POOL), "en", words=17)
    assert [evidence.quote for evidence in found.evidence] == [POOL.partition(" Dogs")[0]]


def test_no_more_words_than_asked_for() -> None:
    many = [f"Sentence {number} tells of whales and of ships." for number in range(200)]
    found = window("Whales sink ships.", passages(*many), "en", words=50)
    assert 40 < len(found.text.split()) <= 50


def test_one_sentence_may_be_longer() -> None:
    long = "The whale " + "and the sea " * 60 + "sang."
    assert window("A whale sang.", passages(long), "en", words=20).text == long


def test_a_title_is_shown_where_the_claim_speaks_of_it() -> None:
    spoken, silent = (
        window(claim, passages(POOL, title="Riverside bath"), "en").text
        for claim in ("Riverside costs 12 euros.", "It costs 12.")
    )
    assert spoken.startswith("Riverside bath: ")
    assert "Riverside" not in silent


def test_nothing_in_common_is_an_empty_window() -> None:
    assert window("Penguins migrate.", passages(GUIDE), "en") == ("", ())
    assert window("Penguins migrate.", [], "en") == ("", ())
