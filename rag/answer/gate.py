"""A draft that is still being written, let through a sentence at a time, each judged before it leaves.

Knows where a sentence is complete. Knows no verdict, and nothing of what is done about one.
"""

import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from rag.answer.claims import LEADS_ON, OPENING, ROW, Kind, parts
from rag.text.sentences import MARKER, Span
from rag.types import Claim

ENDS = re.compile(r"[.!?:;\n\u2026\u3002\uff01\uff1f\u061f\u0964]")
"""Without one of these, no sentence can have ended."""
UNFINISHED = re.compile(r"\[[\d\s,;\u2013-]*\Z")
"""What may become a citation of the sentence before it."""
CLOSERS = 100
"""Marks that may stand behind the end of a sentence."""
ENDED = re.compile(r"(?:[.!?:;|\u2026\u3002\uff01\uff1f\u061f\u0964]|`{3}|~{3})[\s*_\"'`\u201d\u00bb)\]]*\Z")
"""A sentence with a mark at its end, and what closes a quotation or emphasis."""
LONG = 400
"""Characters: what waits beyond so many, a table or code, has to grow by a tenth before it is read again."""


class Stretch(NamedTuple):
    """`draft[start:end]` is judged now; `draft[before:start]` has been, and is read with it for what its pronouns mean."""

    before: int
    start: int
    end: int


class Gate:
    """The stretches of one draft, in order. `language` is ISO 639-1.

    The pieces it arrives in do not matter, tables without a blank line around them aside: what may be an end within a quotation waits
    for the quotation's, or the line's. A heading goes with what is stated below it.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._before = self._passed = self._due = 0

    def complete(self, draft: str) -> list[Stretch]:
        """The sentences that are complete and were not given before. The last one never is: more of it may come."""
        if len(draft) < self._due or not ENDS.search(draft, self._passed):
            return []
        unfinished = UNFINISHED.search(draft, self._passed)
        pending = draft[self._passed : unfinished.start() if unfinished else len(draft)]
        found = parts(pending, self._language, unfinished=True)
        spans = [(part.start, part.end) for part in found]
        starts = [self._passed + _start(pending, before, span) for before, span in itertools.pairwise([(0, 0), *spans])]
        complete = []
        leads = False
        for part, (start, end) in zip(found, itertools.pairwise(starts), strict=False):
            marks = MARKER.fullmatch(pending, part.start, part.end) is not None
            leads = marks or part.kind in LEADS_ON or (leads and part.kind is Kind.TALKS)
            if not (leads or self._within_table(draft, start, end) or self._within_quotation(draft, end)):
                complete.append(self._next(end))
        self._due = len(draft) + max(0, len(draft) - self._passed - LONG) // 10
        return complete

    def rest(self, draft: str) -> list[Stretch]:
        """Of a draft that is whole, what `complete` has not given."""
        self._due = 0
        stretches = self.complete(draft)
        return [*stretches, self._next(len(draft))] if self._passed < len(draft) else stretches

    def _next(self, end: int) -> Stretch:
        stretch = Stretch(self._before, self._passed, end)
        self._before, self._passed = self._passed, end
        return stretch

    def _within_table(self, draft: str, start: int, end: int) -> bool:
        """A table is judged whole: only its second line tells that the first is a heading."""
        return draft[start] == ROW and draft[end] == ROW

    def _within_quotation(self, draft: str, end: int) -> bool:
        """What is quoted, and code on one line, is no end of a sentence where it is closed: only what follows tells."""
        said = draft[self._passed : end]
        opened = said.count('"') % 2 or said.count("`") % 2 or said.count("\u201c") > said.count("\u201d")
        return bool(opened) and "\n" not in draft[end:]


def _start(text: str, before: Span, span: Span) -> int:
    """Where a sentence begins, the citations that open its line included."""
    line = text.rfind("\n", before[1], span[0]) + 1
    opens = text.find("[", line, span[0]) if line and OPENING.fullmatch(text, line, span[0]) else -1
    return span[0] if opens < 0 else opens


def finished(draft: str, language: str) -> str:
    """A draft that was cut off, up to the end of its last whole sentence."""
    found = parts(draft, language)
    last = draft[found[-1].start : found[-1].end] if found else ""
    ended = ENDED.search(last, max(0, len(last) - CLOSERS))
    return draft if ended and not MARKER.fullmatch(last) else draft[: found[-1].start if found else 0]


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
