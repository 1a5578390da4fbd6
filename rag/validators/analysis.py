"""A passage or a claim as sentences of terms, each with where it stands. Knows how words are told apart; compares nothing."""

import collections
import functools
import itertools
import re
from collections.abc import Mapping
from typing import NamedTuple

from rag.text import analyzer
from rag.text.sentences import sentences
from rag.validators.alignment import places
from rag.validators.numbers import LETTERS, MONTHS, Number, numbers

LONGEST = 1000
"""Terms that are compared as one sentence: what is longer, and no sentence, is taken in pieces."""
WORD = re.compile(r"\w+(?:[^\s\w]+\w+)*")
DATE = re.compile(
    rf"(?:(?P<before>\d{{1,2}})(?:st|nd|rd|th)?(?: of)? )?\b(?P<month>{'|'.join(month[:3] for month in MONTHS)})[a-z]{{0,6}}\b\.?"
    r"(?: (?:the )?(?P<after>\d{1,2})(?!\d))?|(?<!\d)(?:\d{4}[-/.])?(?P<one>\d{1,2})[-/.](?P<two>\d{1,2})(?:[-/.]\d{2,4})?(?!\d)",
    re.IGNORECASE,
)
FUNCTION_WORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being below between both but by can could did do "
    "does doing down during each few for from further had has have having he her here hers him his how i if in into is it its itself just "
    "me more most my no nor not now of off on once only or other our out over own s same she should so some such t than that the their "
    "them then there these they this those through to too under until up very was we were what when where which while who whom why will "
    "with would you your".split()
)


class Sentence(NamedTuple):
    """`text[start:end]` as terms, each with the set of bits that tells where it stands."""

    start: int
    end: int
    length: int
    """In terms."""
    places: Mapping[str, int]


class Analysis:
    """What a passage says; never written to, so that it is kept for the passages that many questions find."""

    def __init__(self, text: str, situation: str, language: str) -> None:
        self.text = text
        self.sentences: list[Sentence] = []
        postings: dict[str, list[int]] = collections.defaultdict(list)
        self.pairs: set[tuple[str, str]] = set()
        """Neighbouring terms."""
        self.situation = frozenset(terms_of(situation, language))
        """Terms of its title and headings: said of every sentence."""
        self._situation = situation
        for start, end in sentences(text, language):
            terms = terms_of(text[start:end], language)
            self.pairs.update(itertools.pairwise(terms))
            for first in range(0, len(terms), LONGEST):
                piece = terms[first : first + LONGEST]
                standing = places(piece)
                for term in standing:
                    postings[term].append(len(self.sentences))
                self.sentences.append(Sentence(start, end, len(piece), standing))
        self.postings: Mapping[str, list[int]] = dict(postings)
        """Term to the sentences that hold it, ascending."""

    @functools.cached_property
    def values(self) -> frozenset[float]:
        """What its numbers stand for."""
        ones = (1.0,) if "one" in self.postings else ()
        return frozenset(ones).union(*(number.values for number in self._numbers))

    @functools.cached_property
    def amounts(self) -> frozenset[tuple[str, float]]:
        """What those with a unit stand for, in the base unit."""
        return frozenset[tuple[str, float]]().union(*(number.amounts for number in self._numbers))

    @functools.cached_property
    def _numbers(self) -> list[Number]:
        return numbers(f"{self._situation}\n{self.text}")

    @functools.cached_property
    def dates(self) -> frozenset[str]:
        """The months and the days of months that it names: `month 5`, `month 5 3`; a numeric date is read both ways round."""
        found = set[str]()
        for match in DATE.finditer(f"{self._situation}\n{self.text}"):
            if match["month"]:
                month = INITIALS.index(match["month"].lower()) + 1
                days = [int(day) for day in (match["before"], match["after"]) if day]
                found.update((f"month {month}", *(f"month {month} {day}" for day in days)))
            else:
                one, two = sorted((int(match["one"]), int(match["two"])))
                found.update(f"month {month}{rest}" for month, day in ((one, two), (two, one)) for rest in ("", f" {day}"))
        return frozenset(found)

    @functools.cached_property
    def words(self) -> frozenset[str]:
        """Its words as they are written, those of its situation included."""
        return frozenset(WORD.findall(f"{self._situation}\n{self.text}"))

    @functools.cached_property
    def initials(self) -> str:
        """The first letters of its words, as capitals, in order."""
        return "".join(letters[0] for letters in LETTERS.findall(f"{self._situation}\n{self.text}")).upper()


INITIALS = [month[:3] for month in MONTHS]


@functools.lru_cache(maxsize=1024)
def analysed(text: str, situation: str, language: str) -> Analysis:
    """The analysis of a text under its title and headings."""
    return Analysis(text, situation, language)


def terms_of(text: str, language: str) -> list[str]:
    """Its terms, in order, repeats kept."""
    return list(itertools.chain.from_iterable(map(word_terms, WORD.findall(text), itertools.repeat(language))))


@functools.lru_cache(maxsize=50_000)
def word_terms(word: str, language: str) -> tuple[str, ...]:
    """The terms of one word."""
    return tuple(analyzer.terms(word, language))


@functools.cache
def function_terms(language: str) -> frozenset[str]:
    """Terms that say little by themselves; English only."""
    return (
        frozenset(term for word in FUNCTION_WORDS for term in analyzer.terms(word, language)) if language == "en" else frozenset()
    )
