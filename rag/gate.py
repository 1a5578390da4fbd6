"""A draft that is still being written, let through a sentence at a time, each judged before it leaves.

Knows where a sentence is complete. Knows no verdict, and nothing of what is done about one.
"""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from rag.citations import citations, uncited
from rag.sentences import sentences
from rag.types import Claim

ENDS = re.compile(r"[.!?:;\n\u2026\u3002\uff01\uff1f\u061f\u0964]")
"""Without one of these, no sentence can have ended."""
ROW = "|"


class Stretch(NamedTuple):
    """`draft[start:end]` is judged now; `draft[before:start]` has been, and is read with it for what its pronouns mean."""

    before: int
    start: int
    end: int


class Gate:
    """The stretches of one draft, in order; the same ones in whatever pieces it arrives. `language` is ISO 639-1."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._before = self._passed = 0

    def complete(self, draft: str) -> list[Stretch]:
        """The sentences that are complete and were not given before. The last one never is: more of it may come."""
        if not ENDS.search(draft, self._passed):
            return []
        pending = draft[self._passed :]
        bare = uncited(pending, citations(pending))
        spans = sentences(bare.text, self._language)
        starts = [self._passed + bare.origin(*span)[0] for span in spans]
        return [self._next(end) for start, end in itertools.pairwise(starts) if not self._within_table(draft, start, end)]

    def rest(self, draft: str) -> list[Stretch]:
        """Of a draft that is whole, what `complete` has not given."""
        stretches = self.complete(draft)
        return [*stretches, self._next(len(draft))] if self._passed < len(draft) else stretches

    def _next(self, end: int) -> Stretch:
        stretch = Stretch(self._before, self._passed, end)
        self._before, self._passed = self._passed, end
        return stretch

    def _within_table(self, draft: str, start: int, end: int) -> bool:
        """A table is judged whole: only its second line tells that the first is a heading."""
        return draft[start] == ROW and draft[end] == ROW


def after(claims: Sequence[Claim], offset: int) -> list[Claim]:
    """Those of `claims` that reach beyond `offset`, counted from there; one that begins before it, from there on."""
    return [
        claim.model_copy(
            update={
                "text": claim.text[max(offset - claim.start, 0) :],
                "start": max(claim.start - offset, 0),
                "end": claim.end - offset,
            }
        )
        for claim in claims
        if claim.end > offset
    ]
