"""Cuts documents into chunks: whole sections, pages and blocks if they fit, else sentences, lines or words.

Knows Markdown structure and the embedder's token budget. Knows nothing of where documents come from or where chunks go.
"""

import bisect
import functools
import hashlib
import itertools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rag.embedders.base import Embedder
from rag.text.sentences import LINE_BREAK, Span, sentences
from rag.types import Chunk, Document, page

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

TARGET_TOKENS = 200
"""About one long paragraph: what an embedder trained on 128 to 256 tokens still represents, and what a person reads
as a citation."""
LARGEST_TOKENS = 250
"""A section or block of up to this size stays whole instead of being cut at the target."""
CHARACTERS_PER_TOKEN = 8
"""Text with more characters per token counts by its length: a tokenizer may take a long unbroken string for one unknown token."""

OUTLINED = frozenset({"text/markdown", "text/html", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"})
"""Media types whose extracted text is Markdown."""
BLANK_LINE = re.compile(r"(?:\r\n?|\n)[^\S\r\n]*(?:\r\n?|\n)\s*")
PAGE_BREAK = re.compile(r"\f\s*")
RULE = "| --- |"
"""Below the header of a table in a text that is else no Markdown."""
WORD = re.compile(r"\S+\s*")


class Table(NamedTuple):
    """A Markdown table: the names of its columns, where it is, and where the rows below its header begin."""

    header: str
    start: int
    body: int
    end: int


class Section(NamedTuple):
    """The text under one heading up to the next, or a page: the headings above it, outermost first, the spans of its
    blocks, and the tables among them.
    """

    headings: tuple[str, ...]
    blocks: list[Span]
    tables: list[Table]


class Piece(NamedTuple):
    """A span with its size in tokens."""

    start: int
    end: int
    size: int


Measure = Callable[[Sequence[Span]], list[Piece]]


def chunks(document: Document, embedder: Embedder) -> list[Chunk]:
    """The chunks of a document in order, none overlapping.

    Every character that is not space is in one of them, and none has more tokens than the embedder takes. A title and
    headings that would fill more than a third of that are shortened, the outermost headings first. The names of a
    table's columns are the last heading of each chunk that begins among its rows.
    """
    limit = min(embedder.max_tokens, LARGEST_TOKENS)
    return [
        chunk
        for section in _sections(document)
        for chunk in _cut(document.text, section, _draft(document, section.headings, embedder), limit, embedder)
    ]


def _cut(text: str, section: Section, draft: Chunk, limit: int, embedder: Embedder) -> Iterator[Chunk]:
    """The chunks of adjacent blocks: a single one if it has at most `limit` tokens, its title and headings included."""
    blocks = section.blocks
    whole = _filled(draft, text, blocks[0][0], blocks[-1][1], section.tables)
    length = math.ceil(len(whole.text) / CHARACTERS_PER_TOKEN)
    tokens = length if length > limit else embedder.count_tokens([whole.embedded])[0]
    if tokens <= limit or len(whole.text) == 1:
        yield _sealed(whole, tokens)
        return
    special, frame = embedder.count_tokens(["", draft.embedded])

    def measure(spans: Sequence[Span]) -> list[Piece]:
        counts = embedder.count_tokens([text[start:end] for start, end in spans])
        return [
            Piece(start, end, max(count - special, math.ceil((end - start) / CHARACTERS_PER_TOKEN)))
            for (start, end), count in zip(spans, counts, strict=True)
        ]

    torn = _torn(section.tables, draft, limit - frame, measure, embedder)
    room = max(1, limit - max([frame, *torn.values()]))
    pieces = _fitting(text, blocks, draft.language, Piece(blocks[0][0], blocks[-1][1], tokens), room, measure)
    parts = [_filled(draft, text, start, end, torn) for start, end in _packed(pieces, room) if text[start:end].strip()]
    for part, tokens in zip(parts, embedder.count_tokens([part.embedded for part in parts]), strict=True):
        if tokens <= embedder.max_tokens:
            yield _sealed(part, tokens)
        else:
            # Some tokenizers need more tokens for a text than for its pieces.
            yield from _cut(text, section._replace(blocks=[(part.start, part.end)]), draft, limit * 3 // 4, embedder)


def _torn(tables: Sequence[Table], draft: Chunk, room: int, measure: Measure, embedder: Embedder) -> dict[Table, int]:
    """The tables that do not fit into `room` tokens, each with those of the draft below its header. A header that is too
    long to be repeated has none.
    """
    sizes = measure([(table.start, table.end) for table in tables]) if tables else []
    torn = [table for table, piece in zip(tables, sizes, strict=True) if piece.size > room]
    counts = embedder.count_tokens([_headed(draft, table).embedded for table in torn]) if torn else []
    most = embedder.max_tokens * 2 // 3
    return {table: count for table, count in zip(torn, counts, strict=True) if count <= most}


def _headed(draft: Chunk, table: Table) -> Chunk:
    return draft.model_copy(update={"headings": (*draft.headings, table.header)})


def _fitting(text: str, blocks: Sequence[Span], language: str, whole: Piece, room: int, measure: Measure) -> list[Piece]:
    """Adjacent pieces that cover the whole, each as large as fits into `room` tokens."""
    cuts: list[Callable[[Piece], Iterable[Span]]] = [
        lambda piece: blocks,
        lambda piece: _tiled(piece, (start for start, _ in sentences(text[piece.start : piece.end], language))),
        lambda piece: _tiled(piece, (found.end() for found in LINE_BREAK.finditer(text[piece.start : piece.end]))),
        lambda piece: _tiled(piece, (found.start() for found in WORD.finditer(text[piece.start : piece.end]))),
    ]
    pieces = [whole]
    for cut in itertools.chain(cuts, itertools.repeat(_halves)):
        if all(piece.size <= room or piece.end - piece.start == 1 for piece in pieces):
            break
        pieces = [finer for piece in pieces for finer in ([piece] if piece.size <= room else _finer(piece, cut, measure))]
    return pieces


def _finer(piece: Piece, cut: Callable[[Piece], Iterable[Span]], measure: Measure) -> list[Piece]:
    spans = list(cut(piece))
    return measure(spans) if len(spans) > 1 else [piece]


def _packed(pieces: Sequence[Piece], room: int) -> Iterator[Span]:
    """Join adjacent pieces into spans of about equal size, near the target and never above `room` tokens."""
    total = sum(piece.size for piece in pieces)
    goal = room if total <= room else total / math.ceil(total / min(TARGET_TOKENS, room))
    start, size, packed, count = pieces[0].start, 0, 0, 1
    for piece in pieces:
        if size and (size + piece.size > room or packed + piece.size / 2 > goal * count):
            yield start, piece.start
            start, size, count = piece.start, 0, count + 1
        size += piece.size
        packed += piece.size
    yield start, pieces[-1].end


def _tiled(piece: Piece, offsets: Iterable[int]) -> Iterator[Span]:
    """Cut the piece at these offsets from its start."""
    inner = (piece.start + offset for offset in offsets)
    cuts = sorted({piece.start, *(cut for cut in inner if cut < piece.end), piece.end})
    return itertools.pairwise(cuts)


def _halves(piece: Piece) -> Iterator[Span]:
    return _tiled(piece, [(piece.end - piece.start + 1) // 2])


def _filled(draft: Chunk, text: str, start: int, end: int, tables: Iterable[Table]) -> Chunk:
    """The draft with the text of this span, surrounding space stripped; below the header of the table that it begins in."""
    part = text[start:end]
    body = part.strip()
    first = start + len(part) - len(part.lstrip())
    above = next((table for table in tables if table.body <= first < table.end), None)
    draft = _headed(draft, above) if above else draft
    return draft.model_copy(update={"text": body, "start": first, "end": first + len(body), "page": page(text, first)})


def _sealed(chunk: Chunk, tokens: int) -> Chunk:
    content = json.dumps([chunk.document_id, chunk.start, chunk.end, chunk.headings, chunk.text])
    return chunk.model_copy(update={"id": hashlib.sha256(content.encode()).hexdigest()[:32], "tokens": tokens})


def _draft(document: Document, headings: tuple[str, ...], embedder: Embedder) -> Chunk:
    """A chunk with everything but its text; title and headings are short enough to leave room for it."""
    allowance = embedder.max_tokens // 3
    title = document.title[: allowance * CHARACTERS_PER_TOKEN].rstrip()
    headings = tuple(heading for heading in headings if len(heading) <= allowance * CHARACTERS_PER_TOKEN)
    while True:
        draft = Chunk(
            id="",
            document_id=document.id,
            source=document.source,
            title=title,
            headings=headings,
            text="",
            start=0,
            end=0,
            tokens=0,
            language=document.language,
            metadata=document.metadata,
        )
        if not (title or headings) or embedder.count_tokens([draft.embedded])[0] <= allowance:
            return draft
        title, headings = (title, headings[1:]) if headings else (title[: len(title) // 2].rstrip(), ())


def _sections(document: Document) -> list[Section]:
    """Sections whose blocks cover the text; those of plain text are its pages, with the paragraphs as blocks."""
    text = document.text
    if not text.strip():
        return []
    if document.media_type in OUTLINED:
        return outline(text)
    blanks = [found.end() for found in BLANK_LINE.finditer(text)]
    return [_paged(text, start, end, blanks) for start, end in _pages(text)]


def _pages(text: str) -> Iterator[Span]:
    """The pages of a text. One that begins in the middle of a sentence belongs to the page before."""
    breaks = (found for found in PAGE_BREAK.finditer(text) if text[: found.start()].strip())
    cuts = [found.end() for found in breaks if text[found.end() :].strip() and not _goes_on(text, found)]
    return itertools.pairwise([0, *cuts, len(text)])


def _goes_on(text: str, page_break: re.Match[str]) -> bool:
    return text[page_break.end()].islower() and text[page_break.start() - 1] != "|"


def _paged(text: str, start: int, end: int, blanks: Sequence[int]) -> Section:
    inside = blanks[bisect.bisect_right(blanks, start) : bisect.bisect_left(blanks, end)]
    part = text[start:end]
    tables = _tables(part, _lines(part), _only_tables().parse(part), start) if RULE in part else []
    return Section((), list(itertools.pairwise([start, *inside, end])), tables)


def _lines(text: str) -> list[int]:
    """Where the lines of a text begin."""
    return [0, *(found.end() for found in LINE_BREAK.finditer(text))]


def _tables(text: str, lines: Sequence[int], tokens: "Iterable[Token]", offset: int = 0) -> list[Table]:
    """The tables among the blocks of a Markdown text; `offset` is where it begins in its document."""
    tables = []
    for token in tokens:
        if token.type == "table_open" and token.level == 0 and token.map and token.map[0] + 2 < token.map[1]:
            start, rule, body = (lines[token.map[0] + number] for number in range(3))
            end = lines[token.map[1]] if token.map[1] < len(lines) else len(text)
            header = " ".join(text[start:rule].split()).strip("| ")
            tables += [Table(header, offset + start, offset + body, offset + end)] if header.strip("| ") else []
    return tables


def outline(text: str) -> list[Section]:
    """The sections of a Markdown text. A heading stays with the block below it, or the deeper heading that follows."""
    lines = _lines(text)
    path: list[tuple[int, str]] = []
    sections: list[tuple[tuple[str, ...], list[int]]] = [((), [0])]
    bare = True
    tokens = _blocks().parse(text)
    tables = _tables(text, lines, tokens)
    for token, inner in itertools.pairwise([*tokens, *tokens[-1:]]):
        if token.level or token.map is None:
            continue
        start = lines[token.map[0]]
        if token.type == "heading_open":
            depth = int(token.tag[1:])
            joins = bare and (not path or depth > path[-1][0])
            path = [*(above for above in path if above[0] < depth), (depth, _heading_text(inner.content))]
            starts = sections.pop()[1] if joins else [start]
            sections.append((tuple(heading for _, heading in path), starts))
            bare = True
        elif bare:
            bare = False
        else:
            sections[-1][1].append(start)
    ends = [starts[0] for _, starts in sections[1:]] + [len(text)]
    return [
        Section(
            headings,
            list(itertools.pairwise(sorted({*starts, end}))),
            [table for table in tables if starts[0] <= table.start < end],
        )
        for (headings, starts), end in zip(sections, ends, strict=True)
    ]


def _heading_text(markup: str) -> str:
    """A heading as plain text, without emphasis marks, link targets and code ticks."""
    [inline] = _inline().parseInline(markup)
    return " ".join("".join(child.content or " " * (child.type == "softbreak") for child in inline.children or []).split())


@functools.cache
def _blocks() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable("table").disable("inline")


@functools.cache
def _only_tables() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("zero").enable("table").disable("inline")


@functools.cache
def _inline() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
