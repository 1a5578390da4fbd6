"""Answers as a strong model writes them: what of the true and of the false the ways to treat uncertain claims let through.

`strong.jsonl` holds 30, written and labelled by us, over passages of this guide as they were then: each with the claims in it that the
passages support, and those that they do not.
"""

from pathlib import Path
from typing import NamedTuple

import pytest

from evals.jsonl import read
from rag.answer.citations import citations, uncited
from rag.answer.release import Policy, release
from rag.answer.withholding import Uncertain
from rag.llms.base import REFUSAL
from rag.settings import PACKAGE
from rag.types import Passage, Value
from rag.validators import open_validator
from rag.variant import load


class Source(Value):
    """A passage: its number is its place."""

    title: str
    headings: tuple[str, ...]
    text: str


class Answer(Value):
    """`true` and `false` are what of it the passages support or do not, word for word."""

    id: str
    question: str
    answer: str
    true: tuple[str, ...]
    false: tuple[str, ...]
    passages: tuple[Source, ...]

    def numbered(self) -> list[Passage]:
        """The passages, as they were sent."""
        return [
            Passage(
                number=number,
                chunk_id=str(number),
                document_id=str(number),
                source="guide",
                start=0,
                end=len(each.text),
                score=1.0,
                **dict(each),
            )
            for number, each in enumerate(self.passages, start=1)
        ]


class Shares(NamedTuple):
    """Of the claims, those that reach the reader as they were written, whatever they cite."""

    true: float
    false: float


ANSWERS = [placed.value for placed in read(Path(__file__).with_name("strong.jsonl"), Answer)]


def said(text: str) -> str:
    """A text without citations and the space around them."""
    return "".join(uncited(text, citations(text)).text.split())


def released(validator: str, uncertain: Uncertain) -> Shares:
    judge = open_validator(validator)
    kept: dict[str, list[bool]] = {"true": [], "false": []}
    for each in ANSWERS:
        passages = each.numbered()
        claims = judge.validate(each.question, each.answer, passages)
        text = release(Policy.QUOTE, each.answer, claims, passages, REFUSAL, uncertain=uncertain).text
        kept["true"] += [said(claim) in said(text) for claim in each.true]
        kept["false"] += [said(claim) in said(text) for claim in each.false]
    return Shares(*(sum(stand) / len(stand) for stand in kept.values()))


def test_the_claims_are_there_once() -> None:
    assert (len(ANSWERS), sum(len(each.true) for each in ANSWERS), sum(len(each.false) for each in ANSWERS)) == (30, 110, 11)
    assert all(each.answer.count(claim) == 1 for each in ANSWERS for claim in (*each.true, *each.false))


@pytest.mark.parametrize("validator", ["lexical", "local"])
def test_the_hosted_variant_keeps_most_of_what_is_true_and_little_of_what_is_false(validator: str) -> None:
    found = released(validator, load(PACKAGE / "variants", "hosted").release.uncertain)
    assert found.true >= 0.8, found
    assert found.false <= 4 / 11, found


def test_what_the_other_ways_give_up_for_it() -> None:
    """More of the false with `pass`, most of the true with `withhold`: a change of either figure asks for the guide's to be mended."""
    passed, withheld = (released("lexical", uncertain) for uncertain in (Uncertain.PASS, Uncertain.WITHHOLD))
    assert passed.true >= 0.85, passed
    assert passed.false <= 6 / 11, passed
    assert withheld.true >= 0.25, withheld
    assert withheld.false <= 1 / 11, withheld
