import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.answer.gate import Gate, Stretch, after, finished
from rag.types import Claim, Verdict

DRAFT = (
    "Sure! The pool opens at 9 a.m. every day [1]. It holds 1.5 million litres, e.g. for Dr. Olsen. [1][2]\n\n"
    "[3] It is heated. [1, 2]\n- Dogs stay out. [2]\n- [1] Bring:\n  1. a towel\n  2. soap\n\n"
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
        "Sure! The pool opens at 9 a.m. every day [1].",
        "It holds 1.5 million litres, e.g. for Dr. Olsen. [1][2]",
        "[3] It is heated. [1, 2]",
        "- Dogs stay out. [2]",
        "- [1] Bring:\n  1. a towel",
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


@pytest.mark.parametrize("quoted", ["\u201cDogs out. No games.\u201d", '"Dogs out. No games."', "`Dogs. No`"])
def test_what_is_quoted_is_not_cut(quoted: str) -> None:
    draft = f"The sign says {quoted} every day [1]. It is old."
    assert stretches(list(draft)) == stretches([draft]) == [f"The sign says {quoted} every day [1]. ", "It is old."]


def test_a_heading_waits_for_what_stands_below_it_and_delays_no_sentence() -> None:
    gate = Gate("en")
    assert gate.complete("It is old.\n\n## Hours\n\n") == [(0, 0, 12)]
    assert gate.complete("It is old.\n\n## Hours\n\nSure! It opens at nine.\n\n") == []
    draft = "It is old.\n\n## Hours\n\nSure! It opens at nine.\n\nIt"
    (stretch,) = gate.complete(draft)
    assert draft[stretch.start : stretch.end] == "## Hours\n\nSure! It opens at nine.\n\n"


def test_a_list_marker_waits_for_its_item() -> None:
    draft = "\n\n1. **Hours**\n   - It opens at nine.\n2. *Prices*: none.\n"
    assert stretches(list(draft)) == stretches([draft]) == ["\n\n1. **Hours**\n   - It opens at nine.\n", "2. *Prices*: none.\n"]


@pytest.mark.parametrize(
    ("draft", "whole"),
    [
        ("The pool is open. As long as the server is bound to [2]", "The pool is open. "),
        ("The pool is open. As long as the server is bound to [", "The pool is open. "),
        ("The pool is open. [2]", "The pool is open. [2]"),
        ("The pool is open [2].", "The pool is open [2]."),
        ('They said: "It is open."', 'They said: "It is open."'),
        ("- a towel.\n- so", "- a towel.\n"),
        ("It is open.\n3.", "It is open.\n"),
        ("word word word", ""),
        ("", ""),
    ],
)
def test_a_draft_that_was_cut_off_ends_with_its_last_whole_sentence(draft: str, whole: str) -> None:
    assert finished(draft, "en") == whole


def test_a_quotation_without_an_end_ends_with_its_line() -> None:
    draft = 'A screen has 5" in width. It is small.\nIt is old. It'
    assert stretches(list(draft)) == stretches([draft]) == ['A screen has 5" in width. ', "It is small.\n", "It is old. ", "It"]


def test_a_long_table_is_not_read_anew_for_every_piece() -> None:
    table = "| day | hour |\n| --- | --- |\n" + "| Monday | nine |\n" * 500
    draft = f"{table}\nThat is all. Good luck"
    began = time.process_time()
    assert stretches([draft[start : start + 4] for start in range(0, len(draft), 4)]) == stretches([draft])
    assert time.process_time() - began < 3


def test_nothing_comes_of_nothing() -> None:
    assert stretches([""]) == []
    assert stretches(["  \n "]) == ["  \n "]


@given(st.lists(st.integers(1, len(DRAFT) - 1), max_size=6).map(sorted))
def test_the_pieces_do_not_matter(cuts: list[int]) -> None:
    pieces = [DRAFT[start:end] for start, end in zip([0, *cuts], [*cuts, len(DRAFT)], strict=True)]
    assert stretches(pieces) == stretches([DRAFT])


def test_character_by_character_it_is_the_same() -> None:
    assert stretches(list(DRAFT)) == stretches([DRAFT])


def test_a_sentence_waits_for_a_citation_that_has_begun() -> None:
    gate = Gate("en")
    assert gate.complete("It opens at nine. [") == gate.complete("It opens at nine. [1, ") == []
    assert gate.complete("It opens at nine. [1] It") == [(0, 0, 22)]


def test_a_claim_across_the_border_counts_from_there() -> None:
    claims = [
        Claim(text=text, start=start, end=start + len(text), verdict=Verdict.UNCERTAIN, score=0.5, reason="")
        for text, start in (("It opens.", 0), ("It closes.", 10), ("It rests.", 21))
    ]
    assert [(claim.text, claim.start, claim.end) for claim in after(claims, 13)] == [("closes.", 0, 7), ("It rests.", 8, 17)]
