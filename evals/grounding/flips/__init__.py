"""One-fact errors made of true claims: a number, a name, a negation, a relation or a time made wrong.

Knows English grammar by rules and short lists, and numbers and years in any language. Knows no passage: what is flipped is a claim
that its evidence supports, and what is put in comes from the same texts where they have it, so that words alone do not give it away.
"""

from collections.abc import Iterator, Sequence

from numpy.random import Generator

from evals.grounding.flips import names, negation, numbers, relations, times
from evals.grounding.flips.edits import Edit, Flip, Kind, applied
from rag.text import analyzer

__all__ = ["Flip", "Kind", "flips"]

FUNCTION_WORDS = frozenset("the a of to is was are were has had and that with by from it its which he his they who".split())
ENGLISH_LEAST = 2
"""Function words that show a claim to be English."""


def flips(claim: str, pool: Sequence[str], chance: Generator) -> list[Flip]:
    """At most one flip of each kind, each differing from `claim` in its span alone.

    Numbers, names and times are replaced by others of the same type from the texts of `pool` where there are any. Claims in other
    languages than English have their numbers and years changed only. Equal claims, pools and states of `chance` give equal flips.
    """
    english = _english(claim)
    found = []
    for kind in Kind:
        candidates = list(
            dict.fromkeys(
                edit for edit in _edits(kind, claim, pool, chance, english) if edit.text != claim[edit.start : edit.end]
            )
        )
        if candidates:
            found.append(applied(claim, candidates[int(chance.integers(len(candidates)))], kind))
    return found


def _edits(kind: Kind, claim: str, pool: Sequence[str], chance: Generator, english: bool) -> Iterator[Edit]:
    match kind:
        case Kind.NUMBER:
            yield from numbers.edits(claim, pool, chance, english=english)
        case Kind.TIME:
            yield from times.edits(claim, pool, chance, english=english)
        case Kind.NAME if english:
            yield from names.edits(claim, pool, chance)
        case Kind.NEGATION if english:
            yield from negation.edits(claim)
        case Kind.RELATION if english:
            yield from relations.edits(claim, chance)


def _english(claim: str) -> bool:
    words = {word.strip(".,;:!?()\"'").lower() for word in claim.split()}
    return len(FUNCTION_WORDS & words) >= ENGLISH_LEAST or analyzer.language(claim) in ("en", "und")
