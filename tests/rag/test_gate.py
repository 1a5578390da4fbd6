import itertools

from hypothesis import given
from hypothesis import strategies as st

from rag.gate import Gate, Stretch, after
from rag.types import Claim, Verdict

DRAFT = (
    "Sure! The pool opens at 9 a.m. every day [1]. It holds 1.5 million litres, e.g. for Dr. Olsen.\n\n"
    "- Dogs stay out [2].\n- Bring:\n  1. a towel\n  2. soap\n\n"
    "| day | hour |\n| --- | --- |\n| Monday | 9 |\n\n```\nopen. close.\n```\nThat is all"
)


def stretches(pieces: list[str]) -> list[str]:
    gate = Gate("en")
    draft = ""
    found = []
    for piece in pieces:
        draft += piece
        found += gate.complete(draft)
    found += gate.rest(draft)
    for earlier, stretch in itertools.pairwise([Stretch(0, 0, 0), *found]):
        assert (stretch.before, stretch.start) == (earlier.start, earlier.end)
    return [draft[stretch.start : stretch.end] for stretch in found]


def test_each_sentence_is_a_stretch_with_its_citation() -> None:
    assert [stretch.strip() for stretch in stretches([DRAFT])] == [
        "Sure!",
        "The pool opens at 9 a.m. every day [1].",
        "It holds 1.5 million litres, e.g. for Dr. Olsen.",
        "- Dogs stay out [2].",
        "- Bring:",
        "1. a towel",
        "2. soap",
        "| day | hour |\n| --- | --- |\n| Monday | 9 |",
        "```\nopen. close.\n```",
        "That is all",
    ]


def test_the_last_sentence_is_not_complete_before_another_begins() -> None:
    gate = Gate("en")
    assert gate.complete("It opens at nine. ") == []
    assert gate.complete("It opens at nine. I") == [(0, 0, 18)]
    assert gate.rest("It opens at nine. It closes") == [(0, 18, 27)]


def test_nothing_comes_of_nothing() -> None:
    assert stretches([""]) == []
    assert stretches(["  \n "]) == ["  \n "]


@given(st.lists(st.integers(1, len(DRAFT) - 1), max_size=6).map(sorted))
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    assert "".join(stretches([DRAFT[start:end] for start, end in zip([0, *cuts], [*cuts, len(DRAFT)], strict=True)])) == DRAFT


def test_word_by_word_it_is_the_same() -> None:
    assert stretches([f"{word} " for word in DRAFT.split(" ")]) == stretches([DRAFT + " "])


def test_a_claim_across_the_border_counts_from_there() -> None:
    claims = [
        Claim(text=text, start=start, end=start + len(text), verdict=Verdict.UNCERTAIN, score=0.5, reason="")
        for text, start in (("It opens.", 0), ("It closes.", 10), ("It rests.", 21))
    ]
    assert [(claim.text, claim.start, claim.end) for claim in after(claims, 13)] == [("closes.", 0, 7), ("It rests.", 8, 17)]
