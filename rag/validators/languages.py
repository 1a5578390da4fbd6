"""Which languages an answer and its passages are in. Knows that a short text is often misread, and its script never."""

from collections.abc import Sequence

from rag.text import analyzer
from rag.types import Passage

SAMPLE = 200
"""Characters that a language is read from."""
LEAST = 50
"""A shorter answer is taken to be in the language of the passages, where it is written in their script."""
ENGLISH = frozenset("the of and is to that with for are this it by from which was as be not".split())
ENGLISH_LEAST = 4
"""Of those words: no other language has so many of them."""
LAST_LATIN = "\u024f"


def spoken(answer: str, passages: Sequence[Passage]) -> str:
    """The language of an answer: ISO 639-1, or `und` where it cannot be told."""
    sample = answer[:SAMPLE]
    if len(answer) < LEAST and _latin(sample) == _latin(_sample(passages)):
        return read(passages)
    return _language(sample)


def read(passages: Sequence[Passage]) -> str:
    """What most of the passages are written in, as of an answer."""
    return _language(_sample(passages))


def _sample(passages: Sequence[Passage]) -> str:
    return " ".join(passage.text[: SAMPLE // len(passages)] for passage in passages)


def _language(text: str) -> str:
    """English by its commonest words, which is quick; any other by its letters."""
    return "en" if len(ENGLISH.intersection(text.split())) >= ENGLISH_LEAST else analyzer.language(text)


def _latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(letter > LAST_LATIN for letter in letters) <= len(letters)
