"""Statements that differ from a true one in a single fact, by rules: what a model that has read the passage gets wrong.

Knows word forms and which words stand in like places of the same texts; knows no passage and no label.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy

from evals.grounding.flips import flips
from evals.grounding.training.wording import Word, like, parts
from evals.grounding.training.words import CONTRARY, FUNCTION_WORDS, NUMERALS, OTHER_TIME, SAME, STRONGER
from rag.embedders.base import Embedder, Vectors

AUXILIARIES = frozenset("is are was were has have had can could will would should may might must does do did".split())
DENIALS = frozenset("not no never".split())
PIVOTS = frozenset(
    "than causes caused defeated infects infected influenced by to from over against into leads led killed beat replaced follows followed "
    "became contains binds inhibits activates precedes preceded".split()
)
JOINTS = frozenset(
    "in on at for with from by during after before because since when where which through under between against".split()
)
ENDINGS = ("ing", "ed", "ly", "tion", "ment", "ness", "ity", "ive", "al", "ous", "ic", "ers", "er", "s")
YEAR = re.compile(r"1[5-9]\d\d|20\d\d")
LONGEST_TAIL = 9
"""Words of a phrase that is appended, or put in the place of another."""
NEARLY_SAME = 0.6
"""The cosine from which on two words may mean the same."""
SAME_MEANING = 0.75
"""The cosine from which on most words do: four of five pairs, of sixty looked at."""
DRAWN = 32
"""Words that the one most alike is sought among."""
DETAILS = ("al", "ive", "ous", "ic")
"""Endings of adjectives."""


class Change(NamedTuple):
    """Words `start:end` of a statement, and what another statement has in their place; in either, marked where they differ."""

    kind: str
    start: int
    end: int
    old: tuple[Word, ...]
    new: tuple[Word, ...]
    adds: bool = False
    """Whether the other statement says more: then it supports the first."""


class Vocabulary:
    """What the texts hold, to draw plausible falsehoods from; the same texts give the same drawings."""

    def __init__(self, statements: Iterable[Sequence[Word]]) -> None:
        statements = list(statements)
        self.texts = [" ".join(word.text for word in said) for said in statements]
        self.numbers: list[str] = []
        self.names: list[str] = []
        self.tails: dict[str, list[tuple[str, ...]]] = {}
        self.places: dict[tuple[str, str], list[str]] = {}
        for said in statements:
            self.numbers += [parts(word.text)[1] for word in said if _is_number(word.text)]
            self.names += [" ".join(parts(word.text)[1] for word in said[start:end]) for start, end in names(said)]
            for index in _joints(said):
                self.tails.setdefault(said[index].text.lower(), []).append(_tail(said, index))
            for index in _content(said):
                self.places.setdefault(_place(said, index), []).append(parts(said[index].text)[1].lower())
        self.vectors: dict[str, Vectors] = {}

    def embed(self, embedder: Embedder) -> None:
        """Learns which of the words mean something alike."""
        known = sorted({word for place in self.places.values() for word in place})
        self.vectors = dict(zip(known, embedder.embed(known), strict=True))

    def thesaurus(self) -> dict[str, tuple[str, ...]]:
        """For each word its synonyms: those of the table, and words of like form whose vectors are very close."""
        found = {word: list(others) for word, others in SAME.items()}
        for ending in ("", *ENDINGS):
            known = sorted({word for (_, last), place in self.places.items() if last == ending for word in place})
            vectors = numpy.array([self.vectors[word] for word in known] or numpy.zeros((0, 1)))
            for word, row in zip(known, vectors @ vectors.T, strict=True):
                alike = {known[index] for index in numpy.flatnonzero(row > SAME_MEANING)}
                others = [
                    other for other in sorted(alike - {*CONTRARY.get(word, ()), *NUMERALS, *OTHER_TIME}) if word not in NUMERALS
                ]
                found.setdefault(word, []).extend(other for other in others if other[:4] != word[:4] and other[-5:] != word[-5:])
        return {word: tuple(dict.fromkeys(others)) for word, others in found.items() if others}


Maker = Callable[[Sequence[Word], Vocabulary, Vocabulary, numpy.random.Generator], Iterator[Change]]


def changes(said: Sequence[Word], near: Vocabulary, far: Vocabulary, chance: numpy.random.Generator, most: int) -> list[Change]:
    """Up to `most` changes of different kinds, drawn by chance. `near` is of the same article, `far` of all texts."""
    found: list[Change] = []
    for index in chance.permutation(len(MAKERS)):
        if len(found) < most and (made := list(MAKERS[index](said, near, far, chance))):
            found.append(made[chance.integers(len(made))])
    return found


def names(said: Sequence[Word]) -> Iterator[tuple[int, int]]:
    """Runs of capitalised words that do not open the sentence."""
    index = 1
    while index < len(said):
        end = index
        while end < len(said) and _is_name(said[end].text):
            end += 1
            if parts(said[end - 1].text)[2]:
                break
        if end > index:
            yield index, end
        index = max(end, index + 1)


def _is_name(word: str) -> bool:
    before, core, _ = parts(word)
    return not before and core[:1].isupper() and core.lower() not in FUNCTION_WORDS and len(core) > 1


def _is_number(word: str) -> bool:
    return parts(word)[1][:1].isdigit()


def _content(said: Sequence[Word]) -> Iterator[int]:
    for index, word in enumerate(said):
        core = parts(word.text)[1]
        if core.isalpha() and core.islower() and len(core) > 3 and core not in FUNCTION_WORDS:
            yield index


def _place(said: Sequence[Word], index: int) -> tuple[str, str]:
    """What is known of a word's part of speech without a tagger: the function word before it, and its ending."""
    before = said[index - 1].text.lower() if index else ""
    core = parts(said[index].text)[1]
    ending = next((ending for ending in ENDINGS if core.endswith(ending)), "")
    return before if before in FUNCTION_WORDS else "", ending


def _joints(said: Sequence[Word]) -> Iterator[int]:
    """Where a phrase of the sentence's last words begins."""
    for index, word in enumerate(said):
        if index >= 4 and 2 <= len(said) - index <= LONGEST_TAIL and word.text.lower() in JOINTS:
            yield index


def _tail(said: Sequence[Word], index: int) -> tuple[str, ...]:
    """The words from there on, without the closing stop."""
    last = said[-1].text.rstrip(".;:,")
    return (*(word.text for word in said[index:-1]), last)


def _replaced(kind: str, said: Sequence[Word], start: int, end: int, new: Sequence[str], adds: bool = False) -> Change:
    """The words `new` with the punctuation that the old ones have."""
    before, after = parts(said[start].text)[0], parts(said[end - 1].text)[2]
    told = [*new]
    told[0], told[-1] = before + told[0], told[-1]
    told[-1] += after
    old = tuple(Word(word.text, True) for word in said[start:end])
    return Change(kind, start, end, old, tuple(Word(word, True) for word in told), adds)


def _drawn(pools: Sequence[Sequence[str]], unlike: set[str], chance: numpy.random.Generator) -> str | None:
    """A member of the first pool that has one of another kind than `unlike`; of the later pools one time in three."""
    order = pools if chance.random() < 2 / 3 else pools[::-1]
    for pool in order:
        others = [
            other
            for other in (pool[int(chance.integers(len(pool)))] for _ in range(4 if pool else 0))
            if other.lower() not in unlike
        ]
        if others:
            return others[0]
    return None


def _other_number(said: Sequence[Word], near: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    unlike = {parts(word.text)[1].lower() for word in said}
    for index, word in enumerate(said):
        core = parts(word.text)[1]
        if _is_number(word.text):
            alike = [
                [
                    number
                    for number in pool
                    if len(number) == len(core) and bool(YEAR.fullmatch(number)) == bool(YEAR.fullmatch(core))
                ]
                for pool in (near.numbers, far.numbers[:2000])
            ]
            other = _drawn(alike, unlike, chance) if chance.random() < 0.6 else _nudged(core, chance)
            if other and other != core:
                yield _replaced("number", said, index, index + 1, [other])
        elif core.lower() in NUMERALS[1:]:
            other = NUMERALS[1 + int(chance.integers(len(NUMERALS) - 1))]
            if other != core.lower():
                yield _replaced("number", said, index, index + 1, [like(other, core)])


def _nudged(number: str, chance: numpy.random.Generator) -> str:
    """With one digit changed, not the first to 0."""
    places = [index for index, letter in enumerate(number) if letter.isdigit()]
    place = places[chance.integers(len(places))]
    digits = [digit for digit in "123456789" if digit != number[place]]
    return number[:place] + digits[chance.integers(len(digits))] + number[place + 1 :]


def _other_name(said: Sequence[Word], near: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    unlike = {" ".join(parts(word.text)[1] for word in said[start:end]).lower() for start, end in names(said)}
    for start, end in names(said):
        alike = [[name for name in pool if name.count(" ") == end - start - 1] for pool in (near.names, far.names[:4000])]
        if other := _drawn(alike, unlike, chance):
            yield _replaced("name", said, start, end, other.split())


def _negated(said: Sequence[Word], _: Vocabulary, __: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    for index, word in enumerate(said[:-1]):
        text, following = word.text.lower(), said[index + 1]
        if text in DENIALS:
            yield Change("negation", index, index + 2, (Word(word.text, True), following), (Word(following.text, True),))
        elif (
            text in AUXILIARIES
            and following.text.lower() not in DENIALS
            and not any(said.text.lower() in DENIALS for said in said)
        ):
            denial = "not" if chance.random() < 0.75 else "never"
            yield Change(
                "negation",
                index,
                index + 2,
                (word, Word(following.text, True)),
                (word, Word(denial, True), Word(following.text, False)),
            )


def _table(kind: str, table: Mapping[str, tuple[str, ...]], adds: bool = False) -> Maker:
    def made(said: Sequence[Word], _: Vocabulary, __: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
        for index, word in enumerate(said):
            core = parts(word.text)[1]
            others = table.get(core.lower(), ())
            if others and core.lower() not in ("may", "second", "to", "for", "from", "into"):
                yield _replaced(kind, said, index, index + 1, [like(others[chance.integers(len(others))], core)], adds)

    return made


def _other_word(said: Sequence[Word], near: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    """A verb, noun or adjective in whose place the texts have others."""
    unlike = {parts(word.text)[1].lower() for word in said}
    for index in _content(said):
        core = parts(said[index].text)[1]
        place = _place(said, index)
        other = _drawn([near.places.get(place, []), far.places.get(place, [])], unlike.union(SAME.get(core, ())), chance)
        if other and other[:5] != core[:5]:
            yield _replaced("word", said, index, index + 1, [other])


def _related_word(said: Sequence[Word], _: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    """As `_other_word`, by a word whose meaning is close but another."""
    content = [index for index in _content(said) if parts(said[index].text)[1] in far.vectors]
    if not content:
        return
    index = content[chance.integers(len(content))]
    core, pool = parts(said[index].text)[1], far.places.get(_place(said, index), [])
    drawn = sorted({pool[int(chance.integers(len(pool)))] for _ in range(DRAWN if pool else 0)} - {core, *SAME.get(core, ())})
    alike = {other: float(far.vectors[core] @ far.vectors[other]) for other in drawn if other[:4] != core[:4]}
    close = [other for other in alike if alike[other] < NEARLY_SAME]
    if close:
        yield _replaced("related", said, index, index + 1, [max(close, key=alike.__getitem__)])


def _detailed(said: Sequence[Word], _: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    """One more property of something."""
    pool = [word for ending in DETAILS for word in far.places.get(("the", ending), [])]
    for index, word in enumerate(said[:-1]):
        if pool and word.text.lower() in ("the", "its", "their", "his", "her") and said[index + 1].text[:1].isalpha():
            detail = Word(pool[chance.integers(len(pool))], True)
            yield Change("detail", index, index + 1, (word,), (word, detail), adds=True)


def _turned(said: Sequence[Word], _: Vocabulary, __: Vocabulary, ___: numpy.random.Generator) -> Iterator[Change]:
    """Two names, two numbers, or what stands before and after a verb or "than", each in the other's place."""
    found = list(names(said))
    pairs = list(itertools.combinations(found, 2))
    counted = [(index, index + 1) for index, word in enumerate(said) if _is_number(word.text)]
    pairs += itertools.combinations(counted, 2)
    content = list(_content(said))
    for index, word in enumerate(said):
        if word.text.lower() in PIVOTS:
            left, right = [place for place in content if place < index][-1:], [place for place in content if place > index][:1]
            pairs += [((a, a + 1), (b, b + 1)) for a in left for b in right if index - a <= 2 and b - index <= 3]
    for (start, middle), (second, end) in pairs:
        one, other = said[start:middle], said[second:end]
        cores = [[parts(word.text)[1] for word in words] for words in (one, other)]
        if middle > second or {core.lower() for core in cores[0]} & {core.lower() for core in cores[1]}:
            continue
        if any(parts(word.text)[2].strip(",") for word in (*one, *said[middle:second])) or "and" in {
            word.text for word in said[middle:second]
        }:
            continue
        first = _replaced("roles", said, start, middle, cores[1])
        last = _replaced("roles", said, second, end, cores[0])
        between = tuple(said[middle:second])
        yield Change("roles", start, end, first.old + between + last.old, first.new + between + last.new)


def _other_tail(said: Sequence[Word], near: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    """The same beginning, another end."""
    for index in _joints(said):
        joint = said[index].text.lower()
        pools = [near.tails.get(joint, []), far.tails.get(joint, [])]
        pool = pools[int(chance.random() < 0.4)] or pools[1]
        other = pool[chance.integers(len(pool))] if pool else ()
        if other and other[1:] != _tail(said, index)[1:]:
            change = _replaced("tail", said, index + 1, len(said), other[1:])
            yield change


def _appended(said: Sequence[Word], near: Vocabulary, far: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    """Something more, said of something else."""
    pool = [tail for vocabulary in (near, far) for joint in sorted(JOINTS) for tail in vocabulary.tails.get(joint, [])[:40]]
    if not pool:
        return
    tail = pool[chance.integers(len(pool))]
    before, core, after = parts(said[-1].text)
    old = (Word(said[-1].text),)
    new = (Word(before + core), *(Word(word, True) for word in tail[:-1]), Word(tail[-1] + after, True))
    yield Change("addition", len(said) - 1, len(said), old, new, adds=True)


def _flipped(said: Sequence[Word], near: Vocabulary, _: Vocabulary, chance: numpy.random.Generator) -> Iterator[Change]:
    """The one-fact errors of the benchmark, made of these texts."""
    for flip in flips(" ".join(word.text for word in said), near.texts, chance):
        told = flip.text.split()
        start = next(
            (at for at, (one, other) in enumerate(zip(said, told, strict=False)) if one.text != other),
            min(len(said), len(told)) - 1,
        )
        same = 0
        while same < min(len(said), len(told)) - start - 1 and said[-1 - same].text == told[-1 - same]:
            same += 1
        end, told_end = len(said) - same, len(told) - same
        old = tuple(Word(word.text, True) for word in said[start:end])
        yield Change(f"flip {flip.kind}", start, end, old, tuple(Word(word, True) for word in told[start:told_end]))


MAKERS: tuple[Maker, ...] = (
    _other_number, _other_number, _other_name, _other_name, _negated, _table("contrary", CONTRARY), _table("contrary", CONTRARY),
    _table("strength", STRONGER, adds=True), _table("time", OTHER_TIME),
    _other_word, _related_word, _related_word, _related_word, _detailed, _turned, _turned, _other_tail, _appended, _flipped, _flipped, _flipped,
)  # fmt: skip
