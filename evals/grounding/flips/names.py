"""Names changed for other names of the same kind: people, places, peoples, organisations.

Knows short lists of each, and how English writes names.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from numpy.random import Generator

from evals.grounding.flips.edits import Edit
from evals.grounding.flips.gazetteer import (
    CAPITALISED,
    FURNITURE,
    GIVEN,
    KINDS,
    LISTED,
    LOWER,
    ORGANISATIONS,
    PLACES,
    SURNAMES,
    THINGS,
    TITLES,
)
from evals.grounding.flips.times import MONTHS, SHORT_MONTHS, WEEKDAYS

NOT_NAMES = CAPITALISED.union(MONTHS, SHORT_MONTHS, WEEKDAYS)
_LETTER = r"(?:[\w&-]|['’](?!s\b)(?=\w))"
_FIRST = rf"(?:(?:St|Mt|Ft|Dr|Mr|Mrs|Ms|Jr|Sr|Prof)\.(?=\s[A-Z])|[A-ZÀ-ÖØ-Þ]{_LETTER}+)"
_NEXT = rf"\s(?:(?:of|de|van|von|der|du|la|del|bin|al|the)\s){{0,2}}?[A-ZÀ-ÖØ-Þ](?:\.|{_LETTER}*)"
NAME = re.compile(rf"(?<![^\W_])(?<![-'’.@/]){_FIRST}(?:{_NEXT})*")
STARTS = re.compile(r"(?:^|[.!?:;*\n\"“(•]|[.!?]['\"”)])\s*$")
JOINED = re.compile(r"[-–]\w|['’](?!s\b)|['’]s [A-ZÀ-ÖØ-Þ]")
"""What makes a name the beginning of a longer one."""
INITIAL = re.compile(r"[A-Z]\.")
HEADS = (
    ORGANISATIONS
    | PLACES
    | {"House", "Kingdom", "Republic", "Gulf", "Isle", "Duke", "Earl", "Battle", "Game", "Lord", "Academy", "Hall"}
)
"""What `of` goes on after within a name."""
WHERE = re.compile(r"\b(?:in|near) $")
LONGEST = 5
"""Words of a name; what has more is a heading."""
INITIALS = re.compile(r"[A-Z]{2,6}s?")
PEOPLE = re.compile(r"[A-Z][a-z]+(?:[nr]ian|yan|ans|ese|ish)")
WORDS = re.compile(r"[\w’'&-]+")


class Name(NamedTuple):
    """A name as written, and its kind: a list's, `person`, `organisation`, `place`, `initials`, or `other` with its words counted."""

    start: int
    end: int
    text: str
    kind: str


def edits(claim: str, pool: Sequence[str], chance: Generator) -> Iterator[Edit]:
    """One edit for each name that another of its kind can replace: of the pool if it has one, of our lists else."""
    found = names(claim)
    common = frozenset[str]().union(*map(_common, (claim, *pool)))
    for name in found:
        said = sorted(
            {
                other.text
                for text in pool
                for other in names(text)
                if _alike(other, name, common) and _apart(other.text, claim) and _unlike(other.text, name.text)
            }
        )
        others = said or [other for other in _listed(name, chance) if _apart(other, claim)]
        if others:
            yield Edit(name.start, name.end, others[int(chance.integers(len(others)))])
    if not found and claim == claim.lower():
        yield from _lower(claim, pool, chance)


@lru_cache(maxsize=4096)
def names(text: str) -> tuple[Name, ...]:
    """The names of a text, as far as they are certain: a lone word that begins a sentence is one only where it is listed."""
    return tuple(name for match in NAME.finditer(text) if (name := _name(text, *match.span())))


def _name(text: str, start: int, end: int) -> Name | None:
    """What is a name in a run of capitalised words."""
    words = text[start:end].split()
    opening = STARTS.search(text[max(0, start - 6) : start]) is not None
    while words and (words[0] in NOT_NAMES or words[0].islower()):
        start, words, opening = start + len(words[0]) + 1, words[1:], False
    if "of" in words and words[words.index("of") - 1] not in HEADS:
        words = words[: words.index("of")]
        end = start + len(" ".join(words))
    titled = bool(words) and words[0].rstrip(".") in TITLES
    if titled:
        start, words = start + len(words[0]) + 1, words[1:]
    if (
        not 1 <= len(words) <= LONGEST
        or not NOT_NAMES.isdisjoint(words)
        or JOINED.match(text, end)
        or text[start:end] != " ".join(words)
    ):
        return None
    if titled:
        return Name(start, end, text[start:end], "person" if len(words) > 1 else "surname")
    if len(words) > 1 and (people := next((word for word in words if LISTED.get(word) == "people"), None)):
        start += text[start:end].index(people)
        return Name(start, start + len(people), people, "people")
    kind = _kind(words)
    if kind == "other" and WHERE.search(text, 0, start):
        kind = "city"
    doubtful = words[0] in FURNITURE or (opening and len(words) == 1 and kind in ("other", "initials"))
    return None if doubtful else Name(start, end, text[start:end], kind)


@lru_cache(maxsize=4096)
def _common(text: str) -> frozenset[str]:
    """The words that a text writes without a capital."""
    return frozenset(word for word in WORDS.findall(text) if word.islower() and len(word) > 2)


def _alike(other: Name, name: Name, common: frozenset[str]) -> bool:
    """Whether they are of one kind; two words that only names are made of are a person's, as far as we know."""
    person = (name.kind, other.kind) == ("other 2", "person") and not _made_of(name, common)
    return person or (other.kind == name.kind and _made_of(other, common) == _made_of(name, common))


def _made_of(name: Name, common: frozenset[str]) -> bool:
    """Whether it is made of common words, as titles of works and bodies are, and not of what only names are made of."""
    return any(word.lower() in common for word in WORDS.findall(name.text))


def _unlike(other: str, name: str) -> bool:
    """Whether two names are not forms of one, such as `CNN` and `CNNs` or `Wales` and `Welsh`."""
    return not any(one[:3].casefold() == two[:3].casefold() for one in other.split() for two in name.split() if one[:1].isupper())


def _kind(words: Sequence[str]) -> str:
    name = " ".join(words)
    if name in LISTED:
        return LISTED[name]
    if PEOPLE.fullmatch(name):
        return "peoples" if name.endswith("s") else "people"
    if (len(words) > 1 and words[-1].rstrip(".") in ORGANISATIONS) or (words[0] in ORGANISATIONS and "of" in words):
        return "organisation"
    if words[-1] in THINGS:
        return "thing"
    if words[-1] in PLACES or words[0] in ("Mount", "Lake", "Fort", "Port", "San", "Saint", "St."):
        return "place"
    if 2 <= len(words) <= 3 and words[0] in GIVEN and "of" not in words:
        return "person"
    if len(words) == 1:
        return "initials" if INITIALS.fullmatch(name) else "other"
    return f"other {min(len(words), 4)}"


def _listed(name: Name, chance: Generator) -> Sequence[str]:
    match name.kind:
        case "person":
            return [f"{chance.choice(GIVEN)} {surname}" for surname in SURNAMES]
        case "surname":
            return SURNAMES
    return KINDS.get(name.kind, ())


def _apart(other: str, claim: str) -> bool:
    """Whether no part of a name is in the claim, nor the letters that abbreviate it."""
    lowered = claim.casefold()
    short = "".join(word[0] for word in other.split() if word[0].isupper())
    return not any(word.casefold() in lowered for word in WORDS.findall(other) if len(word) > 2) and not (
        len(short) > 1 and short in claim
    )


def _lower(claim: str, pool: Sequence[str], chance: Generator) -> Iterator[Edit]:
    """In a text without capitals: the countries, cities and peoples of our lists."""
    for match in WORDS.finditer(claim):
        if name := LOWER.get(match.group()):
            listed = [other for other in KINDS[LISTED[name]] if other.lower() in LOWER and _apart(other, claim)]
            said = [other for other in listed if any(other.lower() in text.lower() for text in pool)]
            yield Edit(*match.span(), str(chance.choice(said or listed)).lower())
