"""How a language points back at what was said, goes on, compares with nothing, or leaves out what it asks about.

Knows which patterns a language needs; `rag.conversation.languages` has those of each, and `rag.conversation.followup` applies them.
"""

import re
from typing import NamedTuple, Self

from rag.text.analyzer import FUNCTION_WORDS


class Words(NamedTuple):
    """The patterns of one language; they match questions in lower case, with plain apostrophes."""

    courtesy: re.Pattern[str]
    """What people say before a question, and what is no part of it."""
    points: re.Pattern[str]
    """Points at what was said before, whatever else the question says."""
    adds: re.Pattern[str]
    """Words such as `other`: they point at what was said before if the question names little else."""
    pronoun: re.Pattern[str]
    """Stands for what was said before, unless an earlier clause of the question names it."""
    possessive: re.Pattern[str]
    """Likewise, but its own clause may name it, too."""
    clause: re.Pattern[str]
    """Where another clause begins."""
    comparative: re.Pattern[str]
    complete: re.Pattern[str]
    """What a comparison has to have, to be understood by itself."""
    defines: re.Pattern[str]
    """Asks what one thing is: such a question has to name only that."""
    stopwords: frozenset[str]
    """Words that do not say what a question is about."""

    @classmethod
    def of(
        cls,
        language: str,
        *,
        courtesy: str,
        points: str,
        adds: str,
        pronoun: str,
        possessive: str,
        clause: str,
        comparative: str,
        complete: str,
        defines: str,
        stopwords: str,
    ) -> Self:
        """From regular expressions; `courtesy`, `possessive` and `clause` are alternatives of whole words. `stopwords` are separated
        by spaces, and are added to the function words of `language` (ISO 639-1).
        """
        return cls(
            courtesy=re.compile(rf"(?:(?:{courtesy})\b[\s,.!;:…-]*)+"),
            points=re.compile(points),
            adds=re.compile(adds),
            pronoun=re.compile(pronoun),
            possessive=re.compile(rf"\b(?:{possessive})\b"),
            clause=re.compile(rf"[,.;:?!]|\b(?:{clause})\b"),
            comparative=re.compile(comparative),
            complete=re.compile(complete),
            defines=re.compile(defines),
            stopwords=frozenset(f"{FUNCTION_WORDS[language]} {stopwords}".split()),
        )
