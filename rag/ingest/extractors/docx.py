"""Extracts the text of DOCX as Markdown: all that is shown once every tracked change is accepted.

Knows WordprocessingML; leaves its packaging to python-docx.
"""

import itertools
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, TYPE_CHECKING, NamedTuple

from rag.ingest.extractors.base import SUPERSCRIPTS, Extract, UnreadableError, narrowed, numeral, table, titled

if TYPE_CHECKING:
    from docx.document import Document
    from lxml.etree import _Element as Element  # type: ignore[import-untyped]

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
GONE = frozenset(f"{W}{name}" for name in ("del", "moveFrom", "pPr", "rPr", "tblPr", "trPr", "tcPr", "sdtPr", "rt", "delText"))
"""What holds no text that is shown."""
SIGNS = {f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
NOTES = {f"{W}footnoteReference": "footnote", f"{W}endnoteReference": "endnote"}
OLD_WORD = bytes.fromhex("d0cf11e0a1b11ae1")
LIST_STYLE = re.compile(r"(?i)list (?:bullet|number) ?([2-5])?")
"""Word has one for each level."""
DEEPEST_LEVEL = 8
"""Of a list, the highest being 0."""
DEEPEST = 10
"""Styles that are based on each other."""


class Level(NamedTuple):
    """How a level of a list is numbered."""

    start: int
    style: str
    text: str
    """`%1.%2` stands for the numbers of the first two levels."""


class Style(NamedTuple):
    """A paragraph style; `properties` is its `w:pPr`."""

    name: str
    base: str
    properties: "Element | None"


class Block(NamedTuple):
    """A paragraph or a table; `depth` is that of a list item, and null for all else."""

    text: str
    depth: int | None = None


def extract(stream: IO[bytes]) -> Extract:
    """Raises `UnreadableError`, and whatever python-docx raises."""
    import docx

    if stream.read(len(OLD_WORD)) == OLD_WORD:
        raise UnreadableError("an old Word document, or one with a password; save it as DOCX without one")
    if not zipfile.is_zipfile(stream):
        raise UnreadableError("damaged, or not a DOCX; open it in Word and save it again")
    document = docx.Document(stream)
    return Extract(titled(document.core_properties.title), _joined(_Body(document).blocks(document.element.body)))


def _joined(blocks: Iterable[Block]) -> str:
    """Blocks below each other, the items of a list without a blank line between them."""
    pieces: list[str] = []
    depth: int | None = None
    for block in blocks:
        if block.text:
            item = block.depth is not None
            pieces += ("\n" if item and depth is not None else "\n\n") if pieces else "", block.text
            depth = block.depth
    return "".join(pieces)


class _Body:
    """Reads the body of one document from top to bottom, counting its lists and notes."""

    def __init__(self, document: "Document") -> None:
        self._styles = dict(_styles(document.styles.element))
        parts = {rel.reltype.rpartition("/")[2]: rel.target_part for rel in document.part.rels.values() if not rel.is_external}
        self._lists = _Lists(_root(parts["numbering"].blob) if "numbering" in parts else None)
        self._notes = {kind: _by_id(_root(parts[f"{kind}s"].blob)) for kind in NOTES.values() if f"{kind}s" in parts}
        self._noted = 0
        self._below: list[Block] = []
        """Notes and text boxes of the block that is being read; they follow it."""

    def blocks(self, element: "Element") -> Iterator[Block]:
        """Each paragraph and table in an element, followed by its notes and text boxes."""
        for child in element:
            if child.tag in GONE:
                continue
            if child.tag in (f"{W}p", f"{W}tbl"):
                yield from [self._paragraph(child)] if child.tag == f"{W}p" else self._table(child)
                below, self._below = self._below, []
                yield from below
            elif isinstance(child.tag, str):
                yield from self.blocks(_shown(child))

    def _paragraph(self, paragraph: "Element") -> Block:
        text = re.sub(r" *\n *", "\n", self._text(paragraph)).strip()
        if not text and paragraph.find(f"{W}pPr/{W}rPr/{W}del") is not None:
            return Block("")
        # An empty item counts, too.
        depth, number, level = self._outline(paragraph), *self._number(paragraph)
        if not text:
            return Block("")
        if depth is not None:
            return Block(f"{'#' * min(depth + 1, 6)} {' '.join(f'{number} {text}'.split())}")
        if not number:
            return Block(text)
        # Three spaces put an item below one with any marker of two or three characters.
        indent = " " * 3 * level
        return Block(f"{indent}{number} " + text.replace("\n", f"\n{indent}{' ' * (len(number) + 1)}"), level)

    def _text(self, element: "Element") -> str:
        """The text in an element as it is shown."""
        pieces: list[str] = []
        for child in element:
            tag = child.tag
            if tag in (f"{W}t", MATH_TEXT):
                pieces.append(child.text or "")
            elif tag in SIGNS:
                pieces.append(SIGNS[tag])
            elif tag in NOTES:
                pieces.append(self._note(NOTES[tag], child.get(f"{W}id", "")))
            elif tag == f"{W}txbxContent":
                outside, self._below = self._below, []
                outside += self.blocks(child)
                self._below = outside
            elif isinstance(tag, str) and tag not in GONE and not (tag == f"{W}r" and _vanished(child)):
                pieces.append(self._text(_shown(child)))
        return "".join(pieces)

    def _note(self, kind: str, id: str) -> str:
        """The sign of a note, which is put below the block."""
        note = self._notes.get(kind, {}).get(id)
        if note is None:
            return ""
        self._noted += 1
        sign = str(self._noted).translate(SUPERSCRIPTS)
        # What a note may refer to in turn is not followed: it could be the note itself.
        text = " ".join("".join(found.text or "" for found in note.iter(f"{W}t")).split())
        self._below.append(Block(f"{sign} {text}"))
        return sign

    def _outline(self, paragraph: "Element") -> int | None:
        """The depth of a heading, 0 for the highest, by the paragraph or the styles that it is based on; null for other text."""
        own = _value(paragraph.find(f"{W}pPr"), "outlineLvl")
        for style in self._chain(paragraph):
            heading = re.fullmatch(r"(?i)heading ([1-9])", style.name)
            if own is None and style.name.lower() == "title":
                own = "0"
            own = own or _value(style.properties, "outlineLvl") or (str(int(heading[1]) - 1) if heading else None)
        depth = _integer(own, 9)
        return depth if depth < 9 else None

    def _number(self, paragraph: "Element") -> tuple[str, int]:
        """The number or bullet of a paragraph and its level; empty if it has none."""
        chain = self._chain(paragraph)
        num_id = level = None
        for properties in (paragraph.find(f"{W}pPr"), *(style.properties for style in chain)):
            numbered = None if properties is None else properties.find(f"{W}numPr")
            num_id, level = num_id or _value(numbered, "numId"), level or _value(numbered, "ilvl")
        named = next(filter(None, (LIST_STYLE.fullmatch(style.name) for style in chain)), None)
        depth = min(_integer(level, 0), DEEPEST_LEVEL)
        marker = self._lists.next(num_id, depth) if num_id is not None else "-" if named else ""
        return marker, max(depth, int(named[1]) - 1 if named and named[1] else 0)

    def _chain(self, paragraph: "Element") -> list[Style]:
        """The style of a paragraph and those it is based on."""
        chain: list[Style] = []
        id = _value(paragraph.find(f"{W}pPr"), "pStyle")
        while id in self._styles and len(chain) < DEEPEST:
            chain.append(self._styles[id])
            id = chain[-1].base
        return chain

    def _table(self, element: "Element") -> Iterator[Block]:
        """A Markdown table; one that only arranges what is in it is read cell by cell."""
        rows = [row for row in _within(element, "tr") if _property(row, "trPr", "del") is None]
        cells = [list(_within(row, "tc")) for row in rows]
        if sum(map(len, cells)) == 1 or any(cell.find(f".//{W}tbl") is not None for row in cells for cell in row):
            for cell in (cell for row in cells for cell in row):
                yield from self.blocks(cell)
            return
        above = sum(_property(row, "trPr", "tblHeader") is not None for row in rows) or _merged(cells)
        yield Block(table(self._grid(rows, cells), above if 0 < above < len(rows) else 1))

    def _grid(self, rows: "list[Element]", cells: "list[list[Element]]") -> Iterator[list[str]]:
        """The texts of the cells by row and column; a cell that spans several is in each of them."""
        above: list[str] = []
        grid: list[list[str]] = []
        begun: set[int] = set()
        for row, inside in zip(rows, cells, strict=True):
            line = [""] * _count(_property(row, "trPr", "gridBefore"), 0)
            for cell in inside:
                begun.add(len(line))
                text = above[len(line)] if _goes_on(cell) and len(line) < len(above) else self._cell(cell)
                line += [text] * _count(_property(cell, "tcPr", "gridSpan"), 1)
            grid.append(line)
            above = line
        return narrowed(grid, begun)

    def _cell(self, cell: "Element") -> str:
        below, self._below = self._below, []
        text = "\n".join(block.text for block in self.blocks(cell))
        self._below = below
        return text


class _Lists:
    """Counts the items of numbered lists as Word does."""

    def __init__(self, numbering: "Element | None") -> None:
        elements = [] if numbering is None else list(numbering)
        self._levels = {item.get(f"{W}abstractNumId"): _levels(item) for item in elements if item.tag == f"{W}abstractNum"}
        self._nums = {item.get(f"{W}numId"): item for item in elements if item.tag == f"{W}num"}
        self._counts: dict[str, dict[int, int]] = {}
        self._restarted: set[tuple[str, int]] = set()

    def next(self, num_id: str, depth: int) -> str:
        """The marker of the next item: `-` for a bullet; empty if it has none."""
        num = self._nums.get(num_id)
        kind = _value(num, "abstractNumId")
        levels = self._levels.get(kind, {})
        if num is None or kind is None or depth not in levels:
            return "-" if num_id != "0" else ""
        level = levels[depth]
        counts = self._counts.setdefault(kind, {})
        start = _override(num, depth)
        if start is not None and (num_id, depth) not in self._restarted:
            self._restarted.add((num_id, depth))
            counts.pop(depth, None)
        counts[depth] = counts[depth] + 1 if depth in counts else start if start is not None else level.start
        for deeper in [deeper for deeper in counts if deeper > depth]:
            del counts[deeper]
        if level.style in ("bullet", "none"):
            return "-" if level.style == "bullet" else ""

        def number(found: re.Match[str]) -> str:
            place = int(found[1]) - 1
            there = levels.get(place, level)
            return numeral(counts.get(place, there.start), there.style)

        return re.sub(r"%([1-9])", number, level.text).strip()


def _levels(kind: "Element") -> dict[int, Level]:
    levels = {}
    for level in kind.iterchildren(f"{W}lvl"):
        levels[_integer(level.get(f"{W}ilvl"), 0)] = Level(
            _integer(_value(level, "start"), 1), _value(level, "numFmt") or "decimal", _value(level, "lvlText") or ""
        )
    return levels


def _override(num: "Element", depth: int) -> int | None:
    """The number with which a list starts anew."""
    for override in num.iterchildren(f"{W}lvlOverride"):
        start = _value(override, "startOverride")
        if override.get(f"{W}ilvl") == str(depth) and start is not None:
            return _integer(start, 1)
    return None


def _styles(styles: "Element") -> Iterator[tuple[str, Style]]:
    for style in styles.iterchildren(f"{W}style"):
        yield (
            style.get(f"{W}styleId", ""),
            Style(_value(style, "name") or "", _value(style, "basedOn") or "", style.find(f"{W}pPr")),
        )


def _root(content: bytes) -> "Element":
    from docx.oxml.parser import parse_xml

    return parse_xml(content)


def _by_id(notes: "Element") -> Mapping[str, "Element"]:
    return {note.get(f"{W}id", ""): note for note in notes}


def _shown(element: "Element") -> "Element":
    """Of content in several forms, such as a text box for old and new versions of Word, the first; else the element itself."""
    return element[0] if element.tag == ALTERNATIVES and len(element) else element


def _vanished(run: "Element") -> bool:
    hidden = _property(run, "rPr", "vanish")
    return hidden is not None and hidden.get(f"{W}val", "1") not in ("0", "false", "off")


def _within(element: "Element", name: str) -> "Iterator[Element]":
    """The rows of a table or the cells of a row, also those in a content control or a tracked change, none of a nested table."""
    for child in element:
        if child.tag == f"{W}{name}":
            yield child
        elif child.tag in (f"{W}sdt", f"{W}sdtContent", f"{W}ins", f"{W}customXml"):
            yield from _within(child, name)


def _property(element: "Element", group: str, name: str) -> "Element | None":
    return element.find(f"{W}{group}/{W}{name}")


def _goes_on(cell: "Element") -> bool:
    """Whether a cell is the lower part of the one above it."""
    merged = _property(cell, "tcPr", "vMerge")
    return merged is not None and merged.get(f"{W}val", "continue") == "continue"


def _merged(rows: "list[list[Element]]") -> int:
    """The number of rows that the first one reaches into, itself included."""
    return 1 + sum(1 for _ in itertools.takewhile(lambda cells: any(map(_goes_on, cells)), rows[1:]))


def _value(element: "Element | None", name: str) -> str | None:
    found = None if element is None else element.find(f"{W}{name}")
    return None if found is None else found.get(f"{W}val")


def _count(element: "Element | None", default: int) -> int:
    return default if element is None else min(_integer(element.get(f"{W}val"), default), 1000)


def _integer(text: str | None, default: int) -> int:
    """By its first five digits: Word counts to 32767."""
    return int(text[:5]) if text and text.isdecimal() else default
