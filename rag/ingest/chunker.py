"""Cuts documents into chunks: whole sections and blocks if they fit, else sentences, lines or words.

Knows Markdown structure and the embedder's token budget. Knows nothing of where documents come from or where chunks go.
"""

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
from rag.types import Chunk, Document

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

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
WORD = re.compile(r"\S+\s*")


class Section(NamedTuple):
    """The text under one heading up to the next: the headings above it, outermost first, and the spans of its blocks."""

    headings: tuple[str, ...]
    blocks: list[Span]


class Piece(NamedTuple):
    """A span with its size in tokens."""

    start: int
    end: int
    size: int


Measure = Callable[[Sequence[Span]], list[Piece]]


def chunks(document: Document, embedder: Embedder) -> list[Chunk]:
    """The chunks of a document in order, none overlapping.

    Every character that is not space is in one of them, and none has more tokens than the embedder takes. A title and
    headings that would fill more than a third of that are shortened, the outermost headings first.
    """
    limit = min(embedder.max_tokens, LARGEST_TOKENS)
    return [
        chunk
        for section in _sections(document)
        for chunk in _cut(document.text, section.blocks, _draft(document, section.headings, embedder), limit, embedder)
    ]


def _cut(text: str, blocks: Sequence[Span], draft: Chunk, limit: int, embedder: Embedder) -> Iterator[Chunk]:
    """The chunks of adjacent blocks: a single one if it has at most `limit` tokens, its title and headings included."""
    whole = _filled(draft, text, blocks[0][0], blocks[-1][1])
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

    room = max(1, limit - frame)
    pieces = _fitting(text, blocks, draft.language, Piece(blocks[0][0], blocks[-1][1], tokens), room, measure)
    parts = [_filled(draft, text, start, end) for start, end in _packed(pieces, room) if text[start:end].strip()]
    for part, tokens in zip(parts, embedder.count_tokens([part.embedded for part in parts]), strict=True):
        if tokens <= embedder.max_tokens:
            yield _sealed(part, tokens)
        else:
            # Some tokenizers need more tokens for a text than for its pieces.
            yield from _cut(text, [(part.start, part.end)], draft, limit * 3 // 4, embedder)


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


def _filled(draft: Chunk, text: str, start: int, end: int) -> Chunk:
    """The draft with the text of this span, surrounding space stripped."""
    part = text[start:end]
    body = part.strip()
    first = start + len(part) - len(part.lstrip())
    return draft.model_copy(update={"text": body, "start": first, "end": first + len(body)})


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
    """Sections whose blocks cover the text; plain text is one section of paragraphs."""
    if not document.text.strip():
        return []
    if document.media_type not in OUTLINED:
        cuts = [0, *(found.end() for found in BLANK_LINE.finditer(document.text)), len(document.text)]
        return [Section((), list(itertools.pairwise(sorted(set(cuts)))))]
    return outline(document.text)


def outline(text: str) -> list[Section]:
    """The sections of a Markdown text. A heading stays with the block below it, or the deeper heading that follows."""
    lines = [0, *(found.end() for found in LINE_BREAK.finditer(text))]
    path: list[tuple[int, str]] = []
    sections: list[tuple[tuple[str, ...], list[int]]] = [((), [0])]
    bare = True
    tokens = _blocks().parse(text)
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
        Section(headings, list(itertools.pairwise(sorted({*starts, end}))))
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
def _inline() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark")
