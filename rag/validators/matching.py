"""How much of a claim the passages of an answer say, and in which of their sentences.

Knows terms, how rare they are, and where they stand; knows no fact, and gives no verdict.
"""

import collections
import functools
import itertools
import math
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from rag.types import Passage
from rag.validators import alignment
from rag.validators.analysis import Analysis, analysed, function_terms

FUNCTION_WORD = 0.15
"""The weight of a function word beside that of any other."""
CANDIDATES = 4
"""Sentences looked at closely, of those that share most with a claim."""
HELD_BY = 1_000
"""The most sentences in which one term of a claim is looked up: a term that more of them hold tells them apart no better."""
Key = TypeVar("Key", bound=Hashable)


class Source(NamedTuple):
    """A passage, analysed."""

    passage: Passage
    said: Analysis


class Match(NamedTuple):
    """How well the closest one or two neighbouring sentences say what a claim says."""

    score: float
    source: Source | None
    first: int
    last: int
    """Sentences of the source, half open."""


class Weighed(NamedTuple):
    """A claim's terms and pairs of neighbouring terms, each with the share of the whole that it weighs."""

    terms: dict[str, float]
    pairs: dict[tuple[str, str], float]
    content: list[str]
    """Without function words, in order, repeats kept; all terms where there is nothing else."""


class Collection:
    """The passages of one answer, and what their words weigh among them."""

    def __init__(self, passages: Sequence[Passage], language: str) -> None:
        self.sources = [
            Source(passage, analysed(passage.text, " ".join((passage.title, *passage.headings)), language))
            for passage in passages
        ]
        self.language = language
        self.function_terms = function_terms(language)
        self.size = sum(len(source.said.sentences) for source in self.sources)
        self.vocabulary = frozenset[str]().union(*(source.said.situation.union(source.said.postings) for source in self.sources))
        self._found: dict[str, list[tuple[int, int]]] = {}

    @functools.cached_property
    def values(self) -> frozenset[float]:
        """What the numbers of the passages stand for."""
        return frozenset[float]().union(*(source.said.values for source in self.sources))

    @functools.cached_property
    def amounts(self) -> frozenset[tuple[str, float]]:
        """What those with a unit stand for."""
        return frozenset[tuple[str, float]]().union(*(source.said.amounts for source in self.sources))

    @functools.cached_property
    def dates(self) -> frozenset[str]:
        """The months and days that the passages name."""
        return frozenset[str]().union(*(source.said.dates for source in self.sources))

    @functools.cached_property
    def written(self) -> frozenset[str]:
        """The words of the passages as they are written."""
        return frozenset[str]().union(*(source.said.words for source in self.sources))

    @functools.cached_property
    def initials(self) -> str:
        """The first letters of the words of the passages."""
        return " ".join(source.said.initials for source in self.sources)

    def _places(self, term: str) -> list[tuple[int, int]]:
        """The sentences that hold a term: the source, by its position, and the sentence."""
        if term not in self._found:
            self._found[term] = [
                (number, sentence)
                for number, source in enumerate(self.sources)
                for sentence in source.said.postings.get(term, ())
            ]
        return self._found[term]

    def weigh(self, terms: Sequence[str]) -> Weighed:
        """Rare terms among the sentences of the passages weigh more, function words little."""
        counted = collections.Counter(terms)
        weights = {}
        for term in counted:
            rarity = max(math.log((self.size + 1) / (len(self._places(term)) + 0.5)) + 0.1, 0.3)
            weights[term] = rarity * (FUNCTION_WORD if term in self.function_terms else 1.0)
        content = [term for term in terms if term not in self.function_terms]
        paired = collections.Counter(itertools.pairwise(terms))
        return Weighed(
            _shares({term: weights[term] * count for term, count in counted.items()}),
            _shares({pair: (weights[pair[0]] + weights[pair[1]]) * count for pair, count in paired.items()}),
            content or list(terms),
        )

    def match(self, claim: Weighed) -> Match:
        """The mean of five shares: words and pairs found anywhere; words, pairs and order found in the closest sentences."""
        anywhere = sum([share for term, share in claim.terms.items() if term in self.vocabulary])
        held = set[tuple[str, str]]().union(*(claim.pairs.keys() & source.said.pairs for source in self.sources))
        best = Match(0.0, None, 0, 0)
        for source, first, last in self._windows(claim):
            close = _closeness(claim, source.said, first, last, held)
            if close > best.score:
                best = Match(close, source, first, last)
        paired = sum([claim.pairs[pair] for pair in held]) if claim.pairs else anywhere
        return best._replace(score=(anywhere + paired + best.score) / 5)

    def _windows(self, claim: Weighed) -> Iterator[tuple[Source, int, int]]:
        """The sentences that share most with the claim, then each of the closest two with a neighbour."""
        shared: dict[tuple[int, int], float] = {}
        for term in dict.fromkeys(claim.content):
            share = claim.terms[term]
            for place in self._places(term)[:HELD_BY]:
                shared[place] = shared.get(place, 0.0) + share
        closest = [place for _, place in sorted([(-share, place) for place, share in shared.items()])[:CANDIDATES]]
        for number, sentence in closest:
            yield self.sources[number], sentence, sentence + 1
        for number, first in sorted({(number, first) for number, sentence in closest[:2] for first in (sentence - 1, sentence)}):
            if 0 <= first <= len(self.sources[number].said.sentences) - 2:
                yield self.sources[number], first, first + 2


def _closeness(claim: Weighed, said: Analysis, first: int, last: int, held: set[tuple[str, str]]) -> float:
    """The sum of the shares of words, pairs and order that one or two sentences hold."""
    sentence = said.sentences[first]
    standing, length = sentence.places, sentence.length
    if last - first == 2:
        second = said.sentences[first + 1]
        standing = dict(standing)
        for term in claim.terms:
            if term in second.places:
                standing[term] = standing.get(term, 0) | second.places[term] << length
        length += second.length
    situation = said.situation
    found = sum([share for term, share in claim.terms.items() if term in standing or term in situation])
    paired = found
    if claim.pairs:
        paired = sum([claim.pairs[one, other] for one, other in held if standing.get(one, 0) << 1 & standing.get(other, 0)])
    return found + paired + alignment.common(claim.content, standing, length) / len(claim.content)


def _shares(weights: dict[Key, float]) -> dict[Key, float]:
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}
