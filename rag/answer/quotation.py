"""What the passages say in place of a claim: the sentence of its evidence that comes closest; for a row of a table, the passage's own.

Knows how much of a claim a sentence holds. Knows no policy, and nothing of where the quotation will stand.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rag.answer import tables
from rag.answer.citations import citations, uncited
from rag.answer.prose import plain, prose
from rag.answer.wording import Wording
from rag.text import analyzer
from rag.text.sentences import LINE_BREAK, Span, sentences
from rag.types import Claim, Evidence, Passage, Verdict

CLOSE = 0.4
"""The share of a claim from which on a sentence speaks of the same thing."""
ALONE = 0.75
"""The share of what it holds together with its neighbour from which on a sentence is quoted alone."""
ABSENT = 0.5
"""What a word that no passage holds weighs beside one that could tell their sentences apart."""


class Stretch(NamedTuple):
    """`passage.text[start:end]`, and how a reader is shown it: empty where it cannot be."""

    start: int
    end: int
    shown: str
    row: bool
    """Of a table."""


class Quotations:
    """Those that the passages of one answer have for its claims."""

    def __init__(self, passages: Sequence[Passage], wording: Wording) -> None:
        self._passages = {passage.number: passage for passage in passages}
        self._wording = wording

    def closest(self, claim: Claim, fresh: Callable[[str], bool]) -> Claim | None:
        """What takes the place of `claim`, as a claim of its own; none where nothing in its evidence comes close and is `fresh`."""
        evidence = claim.evidence
        passage = self._passages.get(evidence.passage) if evidence else None
        if evidence is None or passage is None:
            return None
        lines = list(_lines(passage.text, (evidence.start, evidence.end), self._wording.language))
        if tables.is_row(claim.text):
            rows = (line for line in lines if line.row and tables.alike(passage.text[line.start : line.end], claim.text))
            row = next((row for row in rows if fresh(row.shown)), None)
            return row and _quoted(claim, passage, row)
        nearest = self._nearest(claim, [line if fresh(line.shown) else line._replace(shown="") for line in lines])
        return nearest and _quoted(claim, passage, nearest)

    def _nearest(self, claim: Claim, lines: Sequence[Stretch]) -> Stretch | None:
        """The line that holds most of a claim, or two neighbours that hold much more; none where that is too little."""
        terms = analyzer.asked(uncited(claim.text, citations(claim.text)).text, (self._wording.language,))
        weights = {term: 1.0 if term in self._wording.terms else ABSENT for term in terms}

        def share(stretch: Stretch) -> float:
            return _share(weights, analyzer.terms(stretch.shown, self._wording.language))

        line = max(lines, key=share)
        two = max([line, *itertools.starmap(_joined, itertools.pairwise(lines))], key=share)
        nearest = line if share(line) >= ALONE * share(two) else two
        return nearest if share(nearest) >= CLOSE else None


def _share(weights: Mapping[str, float], terms: Sequence[str]) -> float:
    """Of the weights, what these terms hold; one word out of several is too little."""
    held = weights.keys() & terms
    share = sum(weights[term] for term in held) / sum(weights.values()) if held else 0.0
    return share if len(held) > 1 or share > 0.5 else 0.0


def _lines(text: str, within: Span, language: str) -> Iterator[Stretch]:
    """The sentences of a passage within a stretch of it, and the rows of its tables, also where their head is in another passage."""
    for start, end in sentences(text, language):
        first, last = max(start, within[0]), min(end, within[1])
        breaks = [found.end() for found in LINE_BREAK.finditer(text, first, last)] if tables.is_row(text[first:last]) else []
        for one, other in itertools.pairwise([first, *breaks, last] if first < last else []):
            row = tables.is_row(text[one:other])
            yield Stretch(one, other, _cells(text[one:], text[one:other]) if row else prose(text[one:other]), row)


def _cells(table: str, row: str) -> str:
    """How the first row of what is left of a table reads outside of it; a head names nothing there."""
    cells = [plain(cell) for cell in tables.cells(row)] if not tables.is_head(table) else []
    said = [cell for cell in cells if any(map(str.isalnum, cell))]
    return " – ".join(said) if len(said) > 1 else ""


def _joined(one: Stretch, other: Stretch) -> Stretch:
    """Two neighbours as one, where both can be shown, and are sentences."""
    shown = f"{one.shown} {other.shown}" if one.shown and other.shown and not (one.row or other.row) else ""
    return Stretch(one.start, other.end, shown, row=False)


def _quoted(claim: Claim, passage: Passage, stretch: Stretch) -> Claim:
    """The stretch as a claim in the place of `claim`: a row for a row, and else between quotation marks."""
    quote = passage.text[stretch.start : stretch.end].rstrip()
    row = tables.row(map(plain, tables.cells(quote))) if tables.is_row(claim.text) else ""
    return claim.model_copy(
        update={
            "text": tables.cited(row, passage.number) if row else f"“{stretch.shown}” [{passage.number}]",
            "verdict": Verdict.SUPPORTED,
            "score": 1.0,
            "probability": 1.0,
            "evidence": Evidence(passage=passage.number, start=stretch.start, end=stretch.start + len(quote), quote=quote),
            "reason": f"quoted from passage {passage.number}",
            "citations": (passage.number,),
            "miscited": (),
        }
    )
