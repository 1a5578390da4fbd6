"""The words of the passages of an answer, and whether what nobody judges keeps to them.

Knows terms, whatever their order. Knows no claim.
"""

import functools
import re
from collections.abc import Sequence

from rag.answer.citations import citations, uncited
from rag.answer.claims import declines
from rag.text import analyzer
from rag.text.sentences import unmarked
from rag.text.speech import COMMONPLACES
from rag.types import Passage

FENCE_LINE = re.compile(r"\s*(?:`{3,}|~{3,})[\w+#.-]*\s*")
"""With the language at most: code may stand on the line of its fence."""


class Wording:
    """Of the passages, their titles and headings, and of labels anywhere."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages

    @functools.cached_property
    def language(self) -> str:
        return analyzer.language(self._passages[0].text) if self._passages else "und"

    @functools.cached_property
    def terms(self) -> frozenset[str]:
        texts = [text for passage in self._passages for text in (passage.title, *passage.headings, passage.text)]
        return _commonplaces(self.language).union(*(vocabulary(text, self.language) for text in texts))

    def names(self, label: str) -> bool:
        """Whether every word of a label is one of these; a number in it only counts."""
        return all(term.isdigit() or term in self.terms for term in analyzer.asked(label, (self.language,)))

    def heads(self, cell: str) -> bool:
        """Whether every word and number in the head of a column is one of these."""
        return self.terms.issuperset(analyzer.asked(cell, (self.language,)))

    def counts(self, talk: str) -> bool:
        """Whether talk brings no number of its own; a refusal may name what was asked for."""
        said = unmarked(uncited(talk, citations(talk)).text)
        numbers = [term for term in analyzer.terms(said, self.language) if term[0].isdigit()]
        return declines(talk) or self.terms.issuperset(numbers)

    def holds(self, code: str) -> bool:
        """Whether it stands in a passage, whatever the white space; a fence around nothing does in none."""
        lines = [line for line in code.splitlines() if not FENCE_LINE.fullmatch(line)]
        wanted = " ".join(" ".join(lines).split())
        return bool(wanted) and any(wanted in " ".join(passage.text.split()) for passage in self._passages)


@functools.lru_cache(maxsize=1024)
def vocabulary(text: str, language: str) -> frozenset[str]:
    """The terms of a text. Cached: popular passages are found again and again."""
    return frozenset(analyzer.terms(text, language))


@functools.cache
def _commonplaces(language: str) -> frozenset[str]:
    return frozenset(term for text in COMMONPLACES for term in analyzer.terms(text, language))
