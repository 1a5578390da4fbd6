"""What stands against a claim in a sentence that is otherwise alike: another number, name or time in its place, a negation, an opposite,
or the same words with their roles exchanged.

Knows two sentences as words, aligned; knows nothing of how the sentence was found, or how much it weighs.
"""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from typing import NamedTuple

from rag.validators.alignment import aligned
from rag.validators.analysis import LONGEST
from rag.validators.names import may_be_same
from rag.validators.polarity import opposed, stronger
from rag.validators.words import Kind, Word

ALIKE = 0.4
"""The share of a claim's words, one doubtful word aside, that a sentence must hold to contradict it."""
LIKELY = 0.5
"""The share from which a negation on one side alone turns it round."""
SAME = 0.6
"""The share from which names may be told apart by one neighbour, and roles by their order."""
HEADLINE = 12
"""Words from which a text with a capital on every other one is a heading, a list or a menu, where capitals tell no names."""
SHARED = 3
"""The words that a claim must share with the closest sentences for them to contradict it by what stands anywhere in them."""
NEAR = 2
"""Words from the last common one within which two words stand in the same place."""
SPAN = 6
"""Words within which the sides of a verb stand."""
LISTED = frozenset(("and", "or", ",", "nor"))
"""Leads of words that stand beside the one before, and not under it."""
QUANTITIES = (Kind.NUMBER, Kind.TIME)


class Conflict(NamedTuple):
    """A word of the claim, and what the sentence does instead: "says 15, not 12"."""

    word: Word
    reason: str
    certain: bool = True
    """Whether it contradicts the claim; else the claim says more than the sentence."""
    turned: bool = False
    """Whether it is the word itself, which only one of both denies."""


class Gap(NamedTuple):
    """What stands between two common words in the claim, and in the sentence."""

    claimed: Sequence[Word]
    said: Sequence[Word]
    after: Word | None
    """The common word after it, as claimed."""


def conflicts(claim: Sequence[Word], said: Sequence[Word], held: Set[str], language: str) -> Iterator[Conflict]:
    """Each thing that stands against the claim. `held` are the keys of the sentence and of those about it."""
    if max(len(claim), len(said)) > LONGEST:
        return
    saying = {word.key for word in said}
    common = [word for word in claim if word.key in saying]
    if len(common) < max(2, ALIKE * (len(claim) - 1)):
        return
    pairs = aligned([word.key for word in claim], [word.key for word in said])
    share = len(common) / max(len(claim) - 1, 1)
    names = len(said) < HEADLINE or 2 * sum(word.text[:1].isupper() for word in said) < len(said)
    claimed = {word.key for word in claim}
    yield from _replaced(_gaps(claim, said, pairs), claimed, saying, held, language, share, names=names)
    if share >= LIKELY:
        yield from _turned(pairs, claim, said, language)
        yield from _ranged(pairs, claim, said)
    if share >= SAME:
        yield from _exchanged(claim, said)


def loose(claim: Sequence[Word], said: Sequence[Word]) -> Conflict | None:
    """What stands against the claim wherever it is in the closest sentences, `said`.

    Where they share fewer words with it, the claim may be what follows from them: that a shop is closed, from the days when it opens.
    """
    if len({word.key for word in claim}.intersection(word.key for word in said)) < SHARED:
        return None
    return _undenied(claim, said) or _singly_other(claim, said)


def _undenied(claim: Sequence[Word], said: Sequence[Word]) -> Conflict | None:
    """A denial that the sentences do not share: they deny nothing, or they say what it denies and deny something else."""
    denied = {word.key: word for word in claim if word.negated}
    saying, denials = {word.key for word in said}, {word.key for word in said if word.negated}
    affirmed = [word for key, word in denied.items() if key in saying]
    faint = any("hardly" in word.lead for word in claim)
    if faint or not denied or not denials.isdisjoint(denied) or (denials and not affirmed):
        return None
    word = next(iter(affirmed or denied.values()))
    return Conflict(word, f"does not deny {word.text}")


def _singly_other(claim: Sequence[Word], said: Sequence[Word]) -> Conflict | None:
    """The one quantity of its sort that the sentences lack, where they have one that the claim lacks, and no more."""
    claimed, saying = ([word for word in words if word.kind in QUANTITIES] for words in (claim, said))
    for sort in dict.fromkeys(map(_sort, claimed)):
        one, two = ([word for word in words if _sort(word) == sort] for words in (claimed, saying))
        lacking, others = _strange(one, two), _strange(two, one)
        if len(lacking) == len(others) == 1:
            return Conflict(lacking[0], f"says {others[0].text}, not {lacking[0].text}")
    return None


def _strange(quantities: Sequence[Word], known: Sequence[Word]) -> list[Word]:
    """The first two that none of the known ones may stand for."""
    keys = {word.key for word in known}
    unlike = {word.key: word for word in quantities if word.key not in keys}
    return list(itertools.islice((word for word in unlike.values() if all(_another(word, other) for other in known)), 2))


def _sort(word: Word) -> tuple[str, str]:
    """Of a quantity: what it might be taken for is of the same."""
    if word.number is None:
        return word.key.split()[0], ""
    return "number" if word.number.kind == "word" else word.number.kind, word.number.unit


def _gaps(claim: Sequence[Word], said: Sequence[Word], pairs: Sequence[tuple[int, int]]) -> Iterator[Gap]:
    for (one, other), (next_one, next_other) in itertools.pairwise([(-1, -1), *pairs, (len(claim), len(said))]):
        if next_one - one > 1 and next_other - other > 1:
            yield Gap(claim[one + 1 : next_one], said[other + 1 : next_other], claim[next_one] if next_one < len(claim) else None)


def _replaced(
    gaps: Iterator[Gap], claimed: Set[str], saying: Set[str], held: Set[str], language: str, share: float, *, names: bool
) -> Iterator[Conflict]:
    """Words in the place of which the sentence has another of their kind. `names`: whether its capitals tell names."""
    for gap in gaps:
        for word, other in itertools.product(gap.claimed, gap.said):
            sides = _sides(word, other, gap)
            apart = word.key not in held and other.key not in claimed
            if opposed(word.text.lower(), other.text.lower(), language):
                if word.negated == other.negated and (apart or sides == 2):
                    yield Conflict(word, f"says the opposite: {other.text}, not {word.text}")
                continue
            named = Kind.NAME in (word.kind, other.kind)
            if named and not names:
                continue
            if word.kind is Kind.LITERAL:
                close = sides == 2 and word.key not in saying
            else:
                close = sides == 2 or (sides > 0 and (apart or named) and (share >= SAME or not named))
            if close and other.key not in claimed and _another(word, other):
                said = f"{other.text}, not {word.text}" if other.text != word.text else f"{other.text} in another unit"
                yield Conflict(word, f"says {said}")


def _another(word: Word, other: Word) -> bool:
    """Whether the one says something else of the same kind."""
    if word.number and other.number:
        units = word.number.unit and other.number.unit
        rounded = (not units or word.number.factor == other.number.factor) and word.number.near(other.number.values)
        return word.number.comparable(other.number) and not word.number.says(other.number) and not rounded
    if word.kind is Kind.TIME and other.kind is Kind.TIME:
        (kind, *one), (other_kind, *two) = word.key.split(), other.key.split()
        return kind == other_kind and any(first != second for first, second in zip(one, two, strict=False))
    if word.kind is Kind.LITERAL and other.kind is Kind.LITERAL:
        return word.key != other.key
    return word.capital and other.capital and Kind.NAME in (word.kind, other.kind) and not may_be_same(word.text, other.text)


def _sides(word: Word, other: Word, gap: Gap) -> int:
    """On how many sides both stand next to the same common word, or nearly. The rest of one name is no such word."""
    one, two = gap.claimed.index(word), gap.said.index(other)
    near = 1 if word.kind is Kind.CONTENT or other.kind is Kind.CONTENT else NEAR
    left = max(one, two) < near
    right = max(len(gap.claimed) - one, len(gap.said) - two) <= near
    if word.kind is Kind.NAME and right and gap.after and gap.after.kind is Kind.NAME and not gap.after.lead:
        right = False
    return left + right


def _turned(pairs: Sequence[tuple[int, int]], claim: Sequence[Word], said: Sequence[Word], language: str) -> Iterator[Conflict]:
    """Common words that only one of both denies, or that opposite words lead to."""
    before = (-1, -1)
    for one, other in pairs:
        word, counterpart = claim[one], said[other]
        if word.negated and not counterpart.negated and not _denies_too(said, other, claim, one):
            yield Conflict(word, "says so without the negation", turned=True)
        elif counterpart.negated and not word.negated and not _denies_too(claim, one, said, other):
            yield Conflict(word, "negates it", turned=True)
        if before == (one - 1, other - 1):
            leads = [lead for lead in word.lead if lead not in counterpart.lead]
            others = [lead for lead in counterpart.lead if lead not in word.lead]
            for lead, another in itertools.product(leads, others):
                if stronger(lead, another):
                    yield Conflict(word, f"says {another}, not {lead}", certain=False)
                elif opposed(lead, another, language):
                    yield Conflict(word, f"says {another} {counterpart.text}, not {lead}")
        before = (one, other)


def _ranged(pairs: Sequence[tuple[int, int]], claim: Sequence[Word], said: Sequence[Word]) -> Iterator[Conflict]:
    """Numbers that are an end of a range in only one of both; "up to" and "about" may speak of one."""
    for one, other in pairs:
        word, counterpart = claim[one], said[other]
        if word.number and counterpart.number and not (word.number.approximate or counterpart.number.approximate):
            alike = any(near.key == word.key and near.number and near.number.ranged == word.number.ranged for near in said)
            if not alike:
                yield Conflict(word, f"gives {'no' if word.number.ranged else 'a'} range with {word.text}", certain=False)


def _denies_too(words: Sequence[Word], place: int, denying: Sequence[Word], denied: int) -> bool:
    """Whether one text has the other's negation of a word as well: near it, or of what is denied together with it there, as in
    "there is no need for a key" and "a key isn't needed".
    """
    if any(near.negated for near in words[max(0, place - 2) : place + 3]):
        return True
    run = [*itertools.takewhile(_negated, denying[denied:]), *itertools.takewhile(_negated, reversed(denying[:denied]))]
    return not {word.key for word in words if word.negated}.isdisjoint(word.key for word in run)


def _negated(word: Word) -> bool:
    return word.negated


def _exchanged(claim: Sequence[Word], said: Sequence[Word]) -> Iterator[Conflict]:
    """Two words on either side of a third, the other way round, or the same way round where only one is in the passive.

    Only words that stand once in both are looked at.
    """
    places = {word.key: place for place, word in enumerate(said)}
    claims, says = Counter(word.key for word in claim), Counter(word.key for word in said)
    common = [place for place, word in enumerate(claim) if word.key in places]
    single = {place for place in common if claims[claim[place].key] == says[claim[place].key] == 1}
    single -= {place for place in single if claim[place].kind in QUANTITIES}
    for one, verb, two in zip(common, common[1:], common[2:], strict=False):
        if not single.issuperset((one, verb, two)):
            continue
        first, middle, last = (places[claim[place].key] for place in (one, verb, two))
        leads = (*claim[verb].lead, *claim[two].lead, *said[middle].lead, *said[max(first, last)].lead)
        reverse = last < middle < first < last + SPAN
        if LISTED.isdisjoint(leads) and (reverse or first < middle < last < first + SPAN):
            turned = _passive(claim, verb, two) != _passive(said, middle, max(first, last))
            if reverse != turned:
                yield Conflict(claim[verb], f"says it of {said[last].text}, not {claim[one].text}")


def _passive(words: Sequence[Word], verb: int, agent: int) -> bool:
    """Whether what a verb says is done by what follows it."""
    return any("by" in word.lead for word in words[verb + 1 : agent + 1])
