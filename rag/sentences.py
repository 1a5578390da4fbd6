"""Where the sentences of a text are, as spans.

Knows Markdown's blocks, and leaves each language's punctuation and abbreviations to sentencex; knows nothing of what is said.
"""

import functools
import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

Span = tuple[int, int]
"""Characters, half open."""

LINE_BREAK = re.compile(r"\r\n?|\n")
MARKER = re.compile(r"[ \t]*(?:(?:>|[-*+•▪◦‣]|\d{1,9}[.)、]|\[[ xX]\])(?:[ \t]+|$))+")
"""What makes a line a list item or a quotation: `- `, `2. `, `> 1) `, `- [x] `."""
PLAIN_ITEM = re.compile(r"(?:\r\n?|\n)(?=[ \t]*(?:[•▪◦‣]|\d{1,3}[.)、])[ \t]*[^\W\d])")
"""A list item that Markdown takes for a wrapped line."""
UNSAFE = re.compile(r"[^\S\n]|[\ud800-\udfff]")
"""What sentencex 1.0 panics on: space wider than a byte, and halves of surrogate pairs."""
PROSE = "paragraph_open"
BLOCKS = frozenset({PROSE, "heading_open", "fence", "hr", "tr_open"})


def sentences(text: str, language: str = "en") -> list[Span]:
    """Spans of the sentences of `text`, in order, without surrounding space; together they hold every character that is not space.

    A heading, a code block, a table row and a list item each stand for themselves. `language` is ISO 639-1; one that is not known is
    split by the rules that most languages share.
    """
    spans = []
    for start, end, prose in _blocks(text):
        for part_start, part_end in _prose(text, start, end, language) if prose else ((start, end),):
            part = text[part_start:part_end]
            if stripped := part.strip():
                first = part_start + len(part) - len(part.lstrip())
                spans.append((first, first + len(stripped)))
    return spans


def _blocks(text: str) -> Iterator[tuple[int, int, bool]]:
    """The blocks that tile the text: start, end, and whether it is prose."""
    starts = [0, *(found.end() for found in LINE_BREAK.finditer(text)), len(text)]
    line = 0
    for token in _markdown().parse(text):
        if token.type not in BLOCKS or token.map is None or token.map[0] < line:
            continue
        first, after = token.map[0], min(token.map[1], len(starts) - 1)
        if line < first:
            yield starts[line], starts[first], True
        yield starts[first], starts[after], token.type == PROSE
        line = after
    if line < len(starts) - 1:
        yield starts[line], len(text), True


@functools.cache
def _markdown() -> "MarkdownIt":
    """Block structure alone. Indented code, HTML and link definitions are off: in extracted text they are mostly prose."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable(["inline", "code", "html_block", "reference"])


def _prose(text: str, start: int, end: int, language: str) -> Iterator[Span]:
    """Spans that tile one block of running text."""
    import sentencex

    cuts = [start, *(found.end() for found in PLAIN_ITEM.finditer(text, start, end)), end]
    for item_start, item_end in itertools.pairwise(cuts):
        marker = MARKER.match(text, item_start, item_end)
        body = marker.end() if marker else item_start
        inner = sentencex.get_sentence_boundaries(language, UNSAFE.sub(" ", text[body:item_end]))[:-1]
        yield from itertools.pairwise([item_start, *(body + sentence["end_index"] for sentence in inner), item_end])
