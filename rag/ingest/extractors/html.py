"""Extracts the readable text of HTML as Markdown.

Knows elements, and which of them are not shown; relies on its caller to limit what a hostile page can cost.
"""

import codecs
import contextlib
import itertools
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from rag.ingest.charset import decoded
from rag.ingest.extractors.base import SUPERSCRIPTS, Extract, UnreadableError, narrowed, numeral, table

if TYPE_CHECKING:
    from lxml.html import HtmlElement  # type: ignore[import-untyped]

DROPPED = frozenset({"script", "style", "noscript", "template", "nav", "svg", "iframe", "object", "button", "select", "textarea"})
BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header "
    "hgroup hr legend main ol p section summary table tbody td tfoot th thead tr ul".split()
)
HEADINGS = {f"h{depth}": "#" * depth for depth in range(1, 7)}
UNSEEN = re.compile(r"(?i)(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)\b")
BANNER = re.compile(
    r"(?i)\b(?:cookies?[-_]?(?:consent|banner|notice|bar|popup|modal|overlay|dialog|law|info|message)"
    r"|(?:consent|gdpr)[-_]?(?:banner|notice|bar|popup|modal|overlay|dialog|manager)|onetrust|cookiebot|usercentrics)"
)
"""What a page calls the box that asks for consent to cookies."""
NUMERALS = {"a": "lowerLetter", "A": "upperLetter", "i": "lowerRoman", "I": "upperRoman"}
MOST_COLUMNS = 1000
"""A cell can span as many, as in browsers."""
LINE, SPACE = "\x01", "\x02"
"""Stand for a line break and a space that `_tidied` must keep."""
EXACT = str.maketrans({"\n": LINE, " ": SPACE})
AS_WRITTEN = str.maketrans({LINE: "\n", SPACE: " "})


def extract(stream: IO[bytes]) -> Extract:
    """Raises `UnicodeError`, and `UnreadableError` for a page that the parser would shorten."""
    from lxml import etree, html  # type: ignore[import-untyped]

    text = _characters(stream.read())
    if not text.strip():
        return Extract("", "")
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    root = html.document_fromstring(text.encode(errors="replace"), parser=parser)
    # The parser drops elements that are nested too deeply; only its log shows it.
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise UnreadableError("its elements are nested too deeply; save it with fewer levels")
    title = " ".join((root.findtext(".//title") or "").split())
    return Extract(title, _main(root) or _text(root.find("body")))


def _main(root: "HtmlElement") -> str:
    """The text of the one main element and of the asides beside it; empty if there is no such element, or no text in it."""
    mains = root.xpath("//main | //*[@role='main']")
    if len(mains) != 1 or not (text := _text(mains[0])):
        return ""
    asides = root.xpath("//aside[not(ancestor::main or ancestor::*[@role='main'] or ancestor::aside)]")
    asides = [aside for aside in asides if not any(_unseen(above) for above in aside.iterancestors() if above.tag != "body")]
    return "\n\n".join(filter(None, (text, *(_tidied(_element(aside)) for aside in asides))))


def _text(element: "HtmlElement | None") -> str:
    return "" if element is None else _tidied(_content(element))


def _characters(content: bytes) -> str:
    """Decoded as UTF-8 if it is valid, else as the page declares, else as its bytes suggest. Raises `UnicodeError`."""
    found = re.search(rb"charset\s*=\s*[\"']?([\w-]+)", content[:2048])
    declared = found[1].decode("ascii", "replace") if found else ""
    with contextlib.suppress(LookupError):
        # Browsers read these names as Windows-1252, and so do those who write them.
        declared = "cp1252" if codecs.lookup(declared).name in ("iso8859-1", "ascii") else declared
    for encoding in ("utf-8-sig", declared):
        with contextlib.suppress(UnicodeDecodeError, LookupError):
            return content.decode(encoding)
    text = decoded(content)
    if text is None:
        raise UnicodeError("neither UTF-8 nor what it declares nor plainly another encoding; convert it to UTF-8")
    return text


def _content(element: "HtmlElement") -> str:
    """The content of an element as Markdown, before `_tidied`."""
    pieces = [_squashed(element.text)]
    for child in element:
        pieces += _element(child), _squashed(child.tail)
    return "".join(pieces)


def _element(element: "HtmlElement") -> str:
    tag = element.tag
    if not isinstance(tag, str) or _unseen(element):
        return " "
    if tag in HEADINGS:
        return f"\n\n{HEADINGS[tag]} {' '.join(_content(element).split())}\n\n"
    if tag == "pre":
        code = element.text_content().strip("\n")
        return "\n\n" + f"```\n{code}\n```".translate(EXACT) + "\n\n"
    if tag == "li":
        marker = element.get("data-marker", "-")
        return f"\n{marker} " + _tidied(_content(element)).replace("\n", LINE + SPACE * (len(marker) + 1))
    if tag in ("ul", "ol"):
        if tag == "ol":
            _number(element)
        return f"{_content(element)}\n" if element.getparent().tag == "li" else f"\n\n{_content(element)}\n\n"
    if tag == "dt":
        return _term(element)
    if tag == "dd":
        return f"{_content(element)}\n\n"
    if tag == "br":
        return "\n"
    if tag == "sup":
        return _raised(_content(element))
    if tag == "table" and not element.xpath(".//table | .//h1 | .//h2 | .//h3 | .//pre"):
        return f"\n\n{_captions(element)}\n\n{_table(element)}\n\n"
    return f"\n\n{_content(element)}\n\n" if tag in BLOCKS else _content(element)


def _unseen(element: "HtmlElement") -> bool:
    return element.tag in DROPPED or bool(element.attrib and _hidden(element))


def _hidden(element: "HtmlElement") -> bool:
    """Whether people do not see it, or see it only to click it away."""
    if "hidden" in element.attrib or UNSEEN.search(element.get("style", "")):
        return True
    names = f"{element.get('id', '')} {element.get('class', '')}"
    return bool(BANNER.search(names)) and element.tag != "body" and not element.xpath(".//main | .//article | .//h1")


def _number(ordered: "HtmlElement") -> None:
    """Mark the items of an ordered list with their numbers."""
    number = _integer(ordered.get("start"), 1)
    style = NUMERALS.get(ordered.get("type", ""), "decimal")
    for item in ordered.iterchildren("li"):
        number = _integer(item.get("value"), number)
        item.set("data-marker", f"{numeral(number, style)}.")
        number += 1


def _integer(text: str | None, default: int) -> int:
    return int(text) if text and re.fullmatch(r"-?\d{1,9}", text) else default


def _term(term: "HtmlElement") -> str:
    """A term of a description list, its description behind it on the same line."""
    text, following = _tidied(_content(term)), term.getnext()
    if following is None or following.tag != "dd":
        return f"\n{text}\n"
    return f"\n{text}{'' if text.endswith((':', '?')) else ':'} "


def _raised(text: str) -> str:
    """A number set high, as a sign of its own: 10 to the 3 is not 103."""
    raised = text.strip()
    return raised.translate(SUPERSCRIPTS) if all(ord(sign) in SUPERSCRIPTS for sign in raised) else text


def _captions(element: "HtmlElement") -> str:
    return " ".join(_content(caption) for caption in element.iterchildren("caption"))


def _table(element: "HtmlElement") -> str:
    rows = list(element.iter("tr"))
    above = sum(1 for _ in itertools.takewhile(_heads, rows))
    return table(_grid(rows), above if 0 < above < len(rows) else 1)


def _heads(row: "HtmlElement") -> bool:
    """Whether a row belongs to the header of its table."""
    return row.getparent().tag == "thead" or {cell.tag for cell in row.iterchildren("th", "td")} == {"th"}


def _grid(rows: "list[HtmlElement]") -> Iterator[list[str]]:
    """The texts of the cells by row and column; a cell that spans several is in each of them."""
    grid: list[dict[int, str]] = [{} for _ in rows]
    ends = _ends(rows)
    begun: set[int] = set()
    for number, row in enumerate(rows):
        column = 0
        for cell in row.iterchildren("td", "th"):
            while column in grid[number]:
                column += 1
            text = _tidied(_content(cell))
            width = min(max(1, _integer(cell.get("colspan"), 1)), MOST_COLUMNS)
            height = max(1, _integer(cell.get("rowspan"), 1) or len(rows))
            for line in grid[number : min(number + height, ends[number])]:
                line.update(dict.fromkeys(range(column, column + width), text))
            begun.add(column)
    return narrowed(([line.get(place, "") for place in range(max(line, default=-1) + 1)] for line in grid), begun)


def _ends(rows: "list[HtmlElement]") -> list[int]:
    """For each row, where its group ends, such as the header of the table: no cell reaches beyond."""
    ends: list[int] = []
    for _, group in itertools.groupby(rows, lambda row: row.getparent()):
        size = len(list(group))
        ends += [len(ends) + size] * size
    return ends


def _squashed(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")


def _tidied(text: str) -> str:
    """Remove space around line breaks, and all but one of consecutive blank lines."""
    lines = re.sub(r"[^\S\n]*\n[^\S\n]*", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", lines).strip().translate(AS_WRITTEN)
