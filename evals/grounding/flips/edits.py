"""What a flip of a claim is, and how one is made of an edit. Knows no kind's rules."""

import enum
import re
from typing import NamedTuple


class Kind(enum.StrEnum):
    """What was made wrong."""

    NUMBER = "number"
    NAME = "name"
    NEGATION = "negation"
    RELATION = "relation"
    TIME = "time"


class Flip(NamedTuple):
    """A claim with one fact made wrong: it differs from the claim in `text[start:end]` and nowhere else."""

    kind: Kind
    text: str
    start: int
    end: int


class Edit(NamedTuple):
    """A span of the claim, and what to write instead."""

    start: int
    end: int
    text: str


ARTICLE = re.compile(r"\b(an?) $", re.IGNORECASE)
VOWEL = re.compile(r"(?!uni|use|one|eu|u\.?[sk]\b)[aeiou]|8|11\b|18\b|hour|honest|heir|[FLMNRSX][A-Z.]")


def applied(claim: str, edit: Edit, kind: Kind) -> Flip:
    """The claim with the edit made, and `a` or `an` before it mended."""
    start, end, text = edit
    article = ARTICLE.search(claim, 0, start)
    if article and text[:1].isalnum():
        right = "an" if VOWEL.match(text if text[:2].isupper() else text.lower()) else "a"
        if right != article[1].lower():
            start, text = article.start(), f"{right if article[1][0].islower() else right.capitalize()} {text}"
    return Flip(kind, claim[:start] + text + claim[end:], start, start + len(text))


def cased(text: str, like: str) -> str:
    """The text with the letter case that `like` begins with, or has throughout."""
    if len(like) > 1 and like.isupper():
        return text.upper()
    return text[:1].upper() + text[1:] if like[:1].isupper() else text


def one_of(words: str) -> str:
    """A pattern that matches any of the words, which are parted by spaces; `_` stands for a space within one."""
    return f"(?:{'|'.join(words.split()).replace('_', ' ')})"
