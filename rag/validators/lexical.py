"""A validator that compares words: fast, without a model, and blind to paraphrase.

Knows how much of a claim the passages say, in which of their sentences, and which number, name, negation or opposite stands against it.
The thresholds were fitted on English claims with people's labels; in other languages it says "cannot tell" where it would say "unsupported".
"""

import collections
import functools
import hashlib
import inspect
import itertools
import math
import re
import sys
from collections.abc import Hashable, Iterator, Sequence, Set
from typing import NamedTuple, TypeVar

from rag import analyzer
from rag.claims import Statement, statements
from rag.sentences import sentences
from rag.types import Claim, Evidence, Passage, Verdict
from rag.validators import facts

SUPPORTED = 0.5
"""From this score on a claim is supported: 7 to 9 of 10 such claims of the labelled sets are."""
UNSUPPORTED = 0.2
"""Below this score it is not: fewer than 1 of 10 is."""
RELATED = 0.25
"""From this score of the match on, its sentences are shown as evidence."""
LANGUAGE_SAMPLE = 200
"""Characters that the language of the answer, and of the passages, is read from."""
LANGUAGE_LEAST = 50
"""A shorter answer is taken to be in the language of the passages: of fewer characters it is often misread."""
ALIKE = 0.75
"""The share of a claim's words, the doubtful one aside, that a sentence must hold to contradict it."""
PENALTY = 0.1
"""For each number and each name that no passage holds."""
FUNCTION_WORD = 0.15
"""The weight of a function word beside that of any other."""
NEGATED = 2
"""The content words that a negation reaches."""
CANDIDATES = 4
"""Sentences looked at closely, of those that share most with a claim."""
Key = TypeVar("Key", bound=Hashable)
WORD = re.compile(r"\w+(?:[^\s\w]+\w+)*")
FUNCTION_WORDS = frozenset(
    "a about above after again all also am an and any are as at be because been before being below between both but by can could did do "
    "does doing down during each few for from further had has have having he her here hers him his how i if in into is it its itself just "
    "me more most my no nor not now of off on once only or other our out over own s same she should so some such t than that the their "
    "them then there these they this those through to too under until up very was we were what when where which while who whom why will "
    "with would you your".split()
)


class Sentence(NamedTuple):
    """A sentence of a passage, or a claim, as terms."""

    start: int
    end: int
    terms: list[str]


class Analysis(NamedTuple):
    """What a passage says, as terms and values; never written to."""

    sentences: list[Sentence]
    postings: dict[str, list[int]]
    """Term to the sentences that hold it, ascending."""
    pairs: set[tuple[str, str]]
    situation: frozenset[str]
    """Terms of its title and headings: said of every sentence."""
    values: frozenset[float]
    """What its numbers stand for."""


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


class LexicalValidator:
    """Keeps no state: equal inputs give equal claims."""

    @functools.cached_property
    def identity(self) -> str:
        """Digest of this module and of what it reads a claim with: a changed rule is another validator."""
        modules = (sys.modules[__name__], facts, sys.modules[statements.__module__], sys.modules[sentences.__module__], analyzer)
        code = "".join(inspect.getsource(module) for module in modules)
        return f"lexical@1:{hashlib.sha256(code.encode()).hexdigest()[:12]}"

    def validate(self, question: str, answer: str, passages: Sequence[Passage]) -> list[Claim]:
        """See `Validator`. Milliseconds for an ordinary answer."""
        spoken = analyzer.language(answer[:LANGUAGE_SAMPLE]) if len(answer) >= LANGUAGE_LEAST else _language(passages)
        stated = statements(answer, spoken)
        if not stated:
            return []
        collection = Collection([_read(passage, spoken) for passage in passages], spoken)
        return [collection.judge(statement, answer) for statement in stated]


class Weighed(NamedTuple):
    """A claim's terms and pairs of neighbouring terms, each with the share of the whole that it weighs."""

    terms: dict[str, float]
    pairs: dict[tuple[str, str], float]
    content: list[str]
    """Without function words, in order, repeats kept; all terms where there is nothing else."""


class Collection:
    """The passages of one answer, and what their words weigh among them."""

    def __init__(self, sources: Sequence[Source], language: str) -> None:
        self.sources = sources
        self.language = language
        self.function_terms = _function_terms(language)
        self.size = sum(len(source.said.sentences) for source in sources)
        self.vocabulary = frozenset[str]().union(*(source.said.situation.union(source.said.postings) for source in sources))
        self.pairs = frozenset[tuple[str, str]]().union(*(source.said.pairs for source in sources))
        self.values = frozenset[float]().union(*(source.said.values for source in sources))
        self.alone: dict[int, Collection] = {}

    @functools.cached_property
    def foreign(self) -> bool:
        """Whether the passages are in another language than the answer."""
        spoken = _language([source.passage for source in self.sources])
        return "und" not in (spoken, self.language) and spoken != self.language

    def judge(self, statement: Statement, answer: str) -> Claim:
        """The claim that a statement makes, with its verdict."""
        numbers = facts.numbers(statement.text)
        absent = [number.text for number in numbers if number.kind != "word" and not number.values & self.values]
        terms = self._terms_of(statement.text, numbers)
        claim = self._weigh(terms)
        match = self.match(claim)
        unnamed = [name for name in facts.names(statement.text) if not self._holds(name)]
        score = max(0.0, match.score - PENALTY * (len(absent) + len(unnamed)))
        conflict = self._conflict(statement.text, terms, claim, match)
        verdict, reason = self._verdict(score, absent, unnamed, conflict, match)
        rejected = verdict in (Verdict.CONTRADICTED, Verdict.UNSUPPORTED)
        return Claim(
            text=answer[statement.start : statement.end],
            start=statement.start,
            end=statement.end,
            verdict=verdict,
            score=round(min(score, UNSUPPORTED) if rejected else score, 4),
            evidence=_evidence(match),
            reason=reason,
            citations=statement.citations,
            miscited=tuple(number for number in statement.citations if rejected or self._miscites(number, claim)),
        )

    def _verdict(
        self, score: float, absent: Sequence[str], unnamed: Sequence[str], conflict: str | None, match: Match
    ) -> tuple[Verdict, str]:
        if not self.sources:
            return Verdict.UNSUPPORTED, "there are no passages"
        if conflict:
            return Verdict.CONTRADICTED, conflict
        missing = [*absent, *unnamed]
        if match.source and score >= SUPPORTED and not missing:
            return Verdict.SUPPORTED, f"passage {match.source.passage.number} says so"
        if self.foreign:
            return Verdict.UNCERTAIN, "the answer and the passages are in different languages"
        reason = f"{missing[0]} is not in the passages" if missing else "the passages say little of it in these words"
        unsupported = UNSUPPORTED if self.language == "en" else UNSUPPORTED / 2
        return (Verdict.UNSUPPORTED if absent or score < unsupported else Verdict.UNCERTAIN), reason

    def _weigh(self, terms: Sequence[str]) -> Weighed:
        """Rare terms among the sentences of the passages weigh more, function words little."""
        weights = {}
        for term in set(terms):
            frequency = sum(len(source.said.postings.get(term, ())) for source in self.sources)
            rarity = max(math.log((self.size + 1) / (frequency + 0.5)) + 0.1, 0.3)
            weights[term] = rarity * (FUNCTION_WORD if term in self.function_terms else 1.0)
        content = [term for term in terms if term not in self.function_terms]
        counted = collections.Counter(terms)
        paired = collections.Counter(itertools.pairwise(terms))
        return Weighed(
            _shares({term: weights[term] * count for term, count in counted.items()}),
            _shares({pair: (weights[pair[0]] + weights[pair[1]]) * count for pair, count in paired.items()}),
            content or list(terms),
        )

    def _terms_of(self, text: str, numbers: Sequence[facts.Number]) -> list[str]:
        """The terms of a claim, without those of a number that the passages write differently."""
        known = [number.text for number in numbers if number.values & self.values]
        rewritten = {term for number in known for term in _terms(number, self.language)} - self.vocabulary
        return [term for term in _terms(text, self.language) if term not in rewritten]

    def _holds(self, name: str) -> bool:
        """Whether one passage has all terms of a name."""
        terms = _terms(name, self.language)
        return any(
            all(term in source.said.postings or term in source.said.situation for term in terms) for source in self.sources
        )

    def _miscites(self, number: int, claim: Weighed) -> bool:
        """Whether the passage of that number does not exist or does not support the claim."""
        if number not in self.alone:
            self.alone[number] = Collection([source for source in self.sources if source.passage.number == number], self.language)
        cited = self.alone[number]
        return not cited.sources or (cited.match(claim).score < UNSUPPORTED and not self.foreign)

    def match(self, claim: Weighed) -> Match:
        """The mean of five shares: words and pairs found anywhere; words, pairs and order found in the closest sentences."""
        anywhere = sum(share for term, share in claim.terms.items() if term in self.vocabulary)
        pairs_anywhere = sum(share for pair, share in claim.pairs.items() if pair in self.pairs)
        best = Match(0.0, None, 0, 0)
        for source, first, last in self._windows(claim):
            said = [term for sentence in source.said.sentences[first:last] for term in sentence.terms]
            held = source.said.situation.union(said)
            pairs = set(itertools.pairwise(said))
            words = sum(share for term, share in claim.terms.items() if term in held)
            paired = sum(share for pair, share in claim.pairs.items() if pair in pairs) if claim.pairs else words
            close = words + paired + _order(claim.content, said)
            if close > best.score:
                best = Match(close, source, first, last)
        return best._replace(score=(anywhere + (pairs_anywhere if claim.pairs else anywhere) + best.score) / 5)

    def _windows(self, claim: Weighed) -> Iterator[tuple[Source, int, int]]:
        """The sentences that share most with the claim, then each of the closest two with a neighbour."""
        shared: dict[tuple[int, int], float] = {}
        for term, share in claim.terms.items():
            for number, source in enumerate(self.sources):
                for sentence in source.said.postings.get(term, ()):
                    shared[number, sentence] = shared.get((number, sentence), 0.0) + share
        closest = sorted(shared, key=lambda place: (-shared[place], place))[:CANDIDATES]
        for number, sentence in closest:
            yield self.sources[number], sentence, sentence + 1
        for number, first in sorted({(number, first) for number, sentence in closest[:2] for first in (sentence - 1, sentence)}):
            if 0 <= first <= len(self.sources[number].said.sentences) - 2:
                yield self.sources[number], first, first + 2

    def _conflict(self, text: str, claimed: Sequence[str], claim: Weighed, match: Match) -> str | None:
        """What stands against the claim in a sentence that is otherwise alike: "passage 1 says 15, not 12"."""
        if match.source is None:
            return None
        window = match.source.said.sentences[match.first : match.last]
        held = match.source.said.situation.union(*(sentence.terms for sentence in window))
        for sentence in window:
            said = match.source.passage.text[sentence.start : sentence.end]
            shared = claim.terms.keys() & set(sentence.terms)
            if sum(claim.terms[term] for term in shared) < ALIKE / 2:
                continue
            for difference, apart in self._differences(text, claimed, said, sentence.terms, held):
                share = sum(claim.terms[term] for term in claim.terms.keys() - apart)
                alike = sum(claim.terms[term] for term in shared - apart)
                if share and alike / share >= ALIKE and len(shared - apart - self.function_terms) >= 2:
                    return f"passage {match.source.passage.number} {difference}"
        return None

    def _differences(
        self, text: str, claimed: Sequence[str], said: str, saying: Sequence[str], held: Set[str]
    ) -> Iterator[tuple[str, Set[str]]]:
        """Where a sentence says something else in the place of a fact of the claim: what it does, and the claim's terms for the fact."""
        numbers, said_numbers = facts.numbers(text), facts.numbers(said)
        for number in numbers:
            for other in said_numbers if not any(number.values & other.values for other in said_numbers) else ():
                if number.comparable(other) and not any(other.values & known.values for known in numbers):
                    terms = _terms(number.text, self.language)
                    if self._same_place(claimed, terms, saying, _terms(other.text, self.language)):
                        yield f"says {other.text}, not {number.text}", set(terms)
        said_names = facts.names(said) if self.language == "en" else []
        for name in facts.names(text):
            terms = _terms(name, self.language)
            for said_name in said_names if held.isdisjoint(terms) else ():
                said_terms = _terms(said_name, self.language)
                apart = set(claimed).isdisjoint(said_terms) and not facts.may_be_same(name, said_name)
                if apart and self._same_place(claimed, terms, saying, said_terms):
                    yield f"says {said_name}, not {name}", set(terms)
        negated, said_negated = self._negated(text), self._negated(said)
        if not negated and not said_negated:
            for word, opposite in facts.opposites(self.language):
                turned = word in claimed and word not in held and opposite in saying and opposite not in claimed
                if turned and self._same_place(claimed, [word], saying, [opposite]):
                    yield "says the opposite", {word}
        elif not said_negated and not negated.isdisjoint(saying):
            yield "says so without the negation", set()
        elif not negated and not said_negated.isdisjoint(claimed):
            content = set(saying) - self.function_terms
            if len(content.intersection(claimed)) >= ALIKE * len(content):
                yield "negates it", set()

    def _same_place(self, claimed: Sequence[str], fact: Sequence[str], saying: Sequence[str], other: Sequence[str]) -> bool:
        """Whether two facts follow, or precede, the same content term."""
        places = zip(self._place(claimed, fact), self._place(saying, other), strict=True)
        return any(one is not None and one == another for one, another in places)

    def _place(self, terms: Sequence[str], fact: Sequence[str]) -> tuple[str | None, str | None]:
        """The content terms on either side of a fact."""
        if not fact or fact[0] not in terms:
            return None, None
        start = terms.index(fact[0])
        before = (term for term in reversed(terms[:start]) if term not in self.function_terms)
        after = (term for term in terms[start + len(fact) :] if term not in self.function_terms)
        return next(before, None), next(after, None)

    def _negated(self, text: str) -> set[str]:
        """The content terms that follow a negation."""
        return {
            term
            for scope in facts.negated(text)
            for term in [term for term in _terms(scope, self.language) if term not in self.function_terms][:NEGATED]
        }


def _shares(weights: dict[Key, float]) -> dict[Key, float]:
    total = sum(weights.values())
    return {key: weight / total for key, weight in weights.items()}


def _language(passages: Sequence[Passage]) -> str:
    """What most of the passages are written in."""
    return analyzer.language(" ".join(passage.text[: LANGUAGE_SAMPLE // len(passages)] for passage in passages))


def _read(passage: Passage, language: str) -> Source:
    return Source(passage, _analysed(passage.text, " ".join((passage.title, *passage.headings)), language))


@functools.lru_cache(maxsize=1024)
def _analysed(text: str, situation: str, language: str) -> Analysis:
    """Kept for the passages that many questions find."""
    read = [Sentence(start, end, _terms(text[start:end], language)) for start, end in sentences(text, language)]
    postings: dict[str, list[int]] = {}
    pairs: set[tuple[str, str]] = set()
    for index, sentence in enumerate(read):
        for term in set(sentence.terms):
            postings.setdefault(term, []).append(index)
        pairs.update(itertools.pairwise(sentence.terms))
    said = f"{situation}\n{text}"
    values = facts.months(said).union(*(number.values for number in facts.numbers(said)))
    return Analysis(read, postings, pairs, frozenset(_terms(situation, language)), frozenset(values))


def _terms(text: str, language: str) -> list[str]:
    return [term for word in WORD.findall(text) for term in _word_terms(word, language)]


@functools.lru_cache(maxsize=50_000)
def _word_terms(word: str, language: str) -> tuple[str, ...]:
    return tuple(analyzer.terms(word, language))


@functools.cache
def _function_terms(language: str) -> frozenset[str]:
    return (
        frozenset(term for word in FUNCTION_WORDS for term in analyzer.terms(word, language)) if language == "en" else frozenset()
    )


def _order(claimed: Sequence[str], said: Sequence[str]) -> float:
    """The share of the claim's terms in a longest common subsequence, by Hyyrö's bit-vector algorithm."""
    places: dict[str, int] = {}
    for place, term in enumerate(said):
        places[term] = places.get(term, 0) | 1 << place
    everywhere = free = (1 << len(said)) - 1
    for term in claimed:
        taken = free & places.get(term, 0)
        free = (free + taken | free - taken) & everywhere
    return (len(said) - free.bit_count()) / len(claimed)


def _evidence(match: Match) -> Evidence | None:
    if match.source is None or match.score < RELATED:
        return None
    start, end = match.source.said.sentences[match.first].start, match.source.said.sentences[match.last - 1].end
    return Evidence(passage=match.source.passage.number, start=start, end=end, quote=match.source.passage.text[start:end])
