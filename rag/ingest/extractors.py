"""Extracts text from HTML, PDF and DOCX: headings, lists, tables and code as Markdown, the pages of a PDF separated
by form feeds.

Knows formats; relies on its caller to limit what a hostile file can cost.
"""

import contextlib
import re
from collections.abc import Iterable, Sequence
from typing import IO, TYPE_CHECKING

from rag.ingest.charset import decoded

if TYPE_CHECKING:
    from docx.table import Table
    from docx.text.paragraph import Paragraph
    from lxml.html import HtmlElement  # type: ignore[import-untyped]

DROPPED = frozenset({"script", "style", "noscript", "template", "nav", "svg", "iframe", "object", "button", "select", "textarea"})
BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header "
    "hgroup hr legend main ol p section summary table tbody td tfoot th thead tr ul".split()
)
HEADINGS = {f"h{depth}": "#" * depth for depth in range(1, 7)}
LINE, SPACE = "\x01", "\x02"
"""Stand for a line break and a space that `_tidied` must keep."""
EXACT = str.maketrans({"\n": LINE, " ": SPACE})
INDENTED = str.maketrans({"\n": LINE + SPACE * 2})
AS_WRITTEN = str.maketrans({LINE: "\n", SPACE: " "})


def extract(stream: IO[bytes], media_type: str) -> tuple[str, str]:
    """(title, text); the title is empty if the file has none. Raises whatever the parser of the format raises."""
    if media_type == "text/html":
        return _html(stream.read())
    if media_type == "application/pdf":
        return _pdf(stream)
    return _docx(stream)


def _pdf(stream: IO[bytes]) -> tuple[str, str]:
    from pypdf import PdfReader

    reader = PdfReader(stream)
    if reader.is_encrypted and not reader.decrypt(""):
        raise ValueError("it needs a password")
    title = reader.metadata.title if reader.metadata else None
    return str(title or "").strip(), "\f".join(page.extract_text().replace("\f", "\n").strip() for page in reader.pages)


def _docx(stream: IO[bytes]) -> tuple[str, str]:
    import docx
    from docx.table import Table

    document = docx.Document(stream)
    blocks = (_table(block) if isinstance(block, Table) else _paragraph(block) for block in document.iter_inner_content())
    text = "\n\n".join(block for block in blocks if block)
    return (document.core_properties.title or "").strip(), re.sub(r"(?m)^(- .*)\n\n(?=- )", r"\1\n", text)


def _paragraph(paragraph: "Paragraph") -> str:
    style = (paragraph.style.name if paragraph.style else None) or ""
    text = paragraph.text.strip()
    heading = re.fullmatch(r"Heading ([1-6])", style)
    if not text:
        return ""
    if heading or style == "Title":
        return f"{'#' * int(heading[1]) if heading else '#'} {' '.join(text.split())}"
    return f"- {text}" if style.startswith("List") else text


def _table(table: "Table") -> str:
    # A merged cell appears once for every column it spans.
    return _rows([cell.text for cell in dict.fromkeys(row.cells)] for row in table.rows)


def _rows(rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table whose first row is its header."""
    cells = [[" ".join(cell.split()).replace("|", r"\|") for cell in row] for row in rows if any(row)]
    if not cells:
        return ""
    return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], ["---"] * len(cells[0]), *cells[1:]))


def _html(content: bytes) -> tuple[str, str]:
    from lxml import etree, html  # type: ignore[import-untyped]

    text = _characters(content)
    if not text.strip():
        return "", ""
    parser = html.HTMLParser(encoding="utf-8", huge_tree=True)
    root = html.document_fromstring(text.encode(errors="replace"), parser=parser)
    # The parser drops elements that are nested too deeply; only its log shows it.
    if any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        raise ValueError("its elements are nested too deeply")
    title = " ".join((root.findtext(".//title") or "").split())
    mains = root.xpath("//main | //*[@role='main']")
    body = mains[0] if len(mains) == 1 else root.find("body")
    return title, _tidied(_content(body)) if body is not None else ""


def _characters(content: bytes) -> str:
    """Decoded as UTF-8 if it is valid, else as the page declares, else as its bytes suggest. Raises `UnicodeError`."""
    declared = re.search(rb"charset\s*=\s*[\"']?([\w-]+)", content[:2048])
    for encoding in ("utf-8-sig", declared[1].decode("ascii", "replace") if declared else ""):
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
    if not isinstance(tag, str) or tag in DROPPED or "hidden" in element.attrib:
        return " "
    if tag in HEADINGS:
        return f"\n\n{HEADINGS[tag]} {' '.join(_content(element).split())}\n\n"
    if tag == "pre":
        code = element.text_content().strip("\n")
        return "\n\n" + f"```\n{code}\n```".translate(EXACT) + "\n\n"
    if tag == "li":
        return f"\n- {_tidied(_content(element)).translate(INDENTED)}"
    if tag in ("ul", "ol") and element.getparent().tag == "li":
        return f"{_content(element)}\n"
    if tag == "br":
        return "\n"
    if tag == "table" and not element.xpath(".//table | .//h1 | .//h2 | .//h3 | .//ul | .//ol | .//pre"):
        rows = ([_content(cell) for cell in row if cell.tag in ("td", "th")] for row in element.iter("tr"))
        return f"\n\n{_rows(rows)}\n\n"
    return f"\n\n{_content(element)}\n\n" if tag in BLOCKS else _content(element)


def _squashed(text: str | None) -> str:
    return re.sub(r"\s+", " ", text or "")


def _tidied(text: str) -> str:
    """Remove space around line breaks, and all but one of consecutive blank lines."""
    lines = re.sub(r"[^\S\n]*\n[^\S\n]*", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", lines).strip().translate(AS_WRITTEN)
