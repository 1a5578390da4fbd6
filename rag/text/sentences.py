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
MARKER = re.compile(r"[ \t]*(?:(?:>|[-*+•▪◦‣–—]|\d{1,9}[.)、]|[a-z][.)]|\[[ xX]\])(?:[ \t]+|$))+")
"""What makes a line a list item or a quotation, at its beginning: `- `, `2. `, `> 1) `, `- [x] `."""
PLAIN_ITEM = re.compile(r"(?:\r\n?|\n)(?=[ \t]*(?:(?:[•▪◦‣]|\d{1,3}[.)、])[ \t]*[^\W\d]|(?:[–—]|[a-z][.)])[ \t]+\w))")
"""A list item that Markdown takes for a wrapped line."""
LEAD = re.compile(
    r"(?:(?<=[:\uff1a])|(?:(?<=\n)|(?<=\A))[ \t]*(?:(?:[-*+•]|\d{1,3}[.)])[ \t]+)?(?:\*\*|__)[^*_\n]{1,80}(?:\*\*|__))[ \t]*(?:\r\n?|\n)"
)
"""The end of a line that leads over to the next: with a colon, or all of it bold."""
ELLIPSIS = re.compile(r"…[ \t]+(?=[^\W\d_a-zа-я])")
"""One that ends a sentence."""
INSIDE = re.compile(
    r"(?:\b(?:approx|ca|Fa|Mio|Mrd|M|MM|Mme|janv|févr|ок)\.\s+|\b\d{1,2}\.\s+(?=Jahrhundert|Jh\b)|[A-Za-z]\.(?=[A-Z]{2}|[a-z]))"
)
"""What sentencex 1.0 takes for an end and is none, up to where the next sentence would begin."""
UNSAFE = re.compile(r"[^\S\n]|[\ud800-\udfff]")
"""What sentencex 1.0 panics on: space wider than a byte, and halves of surrogate pairs."""
MARKED = re.compile(r"\||(?:\A|[\r\n])[ \t]*(?:[#>`~=*+_-]|\d{1,9}[.)])")
"""What may begin a block other than a paragraph, or be in one."""
BLANK = re.compile(r"(?:\r\n|\r(?!\n)|\n)[ \t]*(?=[\r\n])")
"""The end of a paragraph."""
WINDOW = 5_000
"""Characters that are split at once."""
PROSE = "paragraph_open"
BLOCKS = frozenset({PROSE, "heading_open", "fence", "hr", "tr_open"})


def unmarked(text: str) -> str:
    """`text` without the marker of a list item at its beginning."""
    marker = MARKER.match(text)
    return text[marker.end() :] if marker else text


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
    if not MARKED.search(text):
        for start, end in itertools.pairwise([0, *(found.end() for found in BLANK.finditer(text)), len(text)]):
            yield start, end, True
        return
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
    breaks = {found.end() for pattern in (PLAIN_ITEM, LEAD) for found in pattern.finditer(text, start, end)}
    for item_start, item_end in itertools.pairwise(sorted({start, *breaks, end})):
        marker = MARKER.match(text, item_start, item_end)
        body = marker.end() if marker else item_start
        inside = {found.end() for found in INSIDE.finditer(text, body, item_end)}
        inner = {*_ends(text, body, item_end, language), *(found.end() for found in ELLIPSIS.finditer(text, body, item_end))}
        yield from itertools.pairwise(sorted({item_start, *(inner - inside), item_end}))


def _ends(text: str, start: int, end: int, language: str) -> Iterator[int]:
    """Where sentences end before `end`. Quotation marks that are never closed cost sentencex 1.0 the square of what it is given."""
    import sentencex

    while start < end:
        until = min(end, start + WINDOW)
        found = sentencex.get_sentence_boundaries(language, UNSAFE.sub(" ", text[start:until]))
        ends = [start + sentence["end_index"] for sentence in found[:-1]]
        yield from ends
        # The last sentence of a window may go on behind it.
        start = ends[-1] if ends and until < end else until
