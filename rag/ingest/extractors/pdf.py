"""Extracts the text of PDF: its pages parted by form feeds, their tables as Markdown, the values of forms at the end of a page.

Knows what belongs to pages rather than to the text: headers and footers that run through, words cut at the end of a line.
"""

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from rag.ingest.extractors.base import Extract, UnreadableError, titled
from rag.ingest.extractors.grid import tabled

if TYPE_CHECKING:
    from pypdf import PageObject

EDGE = 3
"""Lines at the beginning and at the end of a page among which its header and footer are."""
DEEPEST = 10
"""Parts that belong to each other."""
LEAST_PAGES = 3
"""Pages that a running line is on."""
MOST_WORDS = 3000
"""Of a page on which tables are looked for."""
TABLE_SECONDS = 15.0
"""Of processor time, after which tables are no longer looked for in a document."""
SIGNS = str.maketrans({"\f": "\n", "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "\u00a0": " "})
"""Those that only print needs, and what stands for them."""
PAGE_WORD = re.compile(r"(?i)\b(?:page|pages|seite|p[áa]gina|pagina|side|sida|strona|strana|стр|страница)\b|第|頁|页|ページ")
CUT_WORD = re.compile(r"(\w*[^\W\d_])[-\u2010\u00ad]\n([^\W\d_]\w*)(\S*)[^\S\n\f]*\n?")
"""One that goes on in the next line, and what clings to its end."""
WORD = re.compile(r"\w+")


def extract(stream: IO[bytes]) -> Extract:
    """Raises `UnreadableError`, and whatever pypdf raises."""
    from pypdf import PdfReader

    if b"%PDF-" not in stream.read(1024):
        raise UnreadableError("not a PDF, whatever its name says; give it the ending of what it is")
    stream.seek(0)
    reader = PdfReader(stream)
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableError("it needs a password; save it without one")
    until = time.process_time() + TABLE_SECONDS
    pages = [_text(page, until) for page in reader.pages]
    pictures = sum(not text and _pictured(page) for text, page in zip(pages, reader.pages, strict=True))
    text = _joined("\f".join(_unframed(pages)))
    return Extract(titled(str(reader.metadata.title or "") if reader.metadata else ""), text, _lost(pictures, len(pages)))


def _lost(pictures: int, pages: int) -> str:
    if not 0 < pictures < pages:
        return ""
    have = "has pictures" if pictures == 1 else "have pictures"
    return f"{pictures} of {pages} pages {have} and no text; scanned pages need OCR first, the others are read"


def _text(page: "PageObject", until: float) -> str:
    """What is on a page, a table as Markdown where the page, read by lines `until` then, shows one."""
    text = page.extract_text().translate(SIGNS).strip()
    # Only a help: the parser fails on some pages that it reads the plain way.
    if len(text.split()) <= MOST_WORDS and time.process_time() < until:
        with contextlib.suppress(Exception):
            layout = page.extract_text(extraction_mode="layout", layout_mode_space_vertically=False)
            text = tabled(text, layout.translate(SIGNS))
    return "\n".join(filter(None, (text, *_fields(page))))


def _fields(page: "PageObject") -> Iterator[str]:
    """The values that were entered into the form on a page, each behind its name."""
    for reference in page.get("/Annots", None) or ():
        field = reference.get_object()
        kept = _inherited(field, "/V")
        value = ", ".join(map(str, kept)) if isinstance(kept, list) else kept
        if field.get("/Subtype") == "/Widget" and isinstance(value, str) and value.strip() and value != "/Off":
            name = _inherited(field, "/TU") or _inherited(field, "/T") or ""
            yield f"{name}: {value.removeprefix('/')}" if name else value.removeprefix("/")


def _inherited(part: Any, key: str) -> Any:
    """What a part of the document, or one that it belongs to, holds under this key."""
    for _ in range(DEEPEST):
        if part.get(key) is not None:
            return part[key]
        part = part.get("/Parent", {})
        part = part.get_object() if part else {}
    return None


def _pictured(page: "PageObject") -> bool:
    return bool(_inherited(_inherited(page, "/Resources") or {}, "/XObject"))


def _unframed(pages: Sequence[str]) -> Iterator[str]:
    """The pages without the lines at their edges that run through most of them; the first page with such a line keeps it."""
    keys = [_running(page, number) for number, page in enumerate(pages)]
    counts = Counter(key for on_page in keys for key in on_page)
    seen: set[str] = set()
    for page, on_page in zip(pages, keys, strict=True):
        running = {key for key in on_page if counts[key] >= LEAST_PAGES and counts[key] * 2 > len(pages)}
        dropped = {line for key in running & seen for line in on_page[key]}
        seen |= running
        yield "\n".join(line for number, line in enumerate(page.split("\n")) if number not in dropped).strip()


def _running(page: str, number: int) -> dict[str, list[int]]:
    """What may be the header or footer of a page, each with the numbers of its lines. The number of the page is left out of it."""
    lines = page.split("\n")
    keys: dict[str, list[int]] = {}
    for place in {*range(len(lines))[:EDGE], *range(len(lines))[-EDGE:]}:
        line = " ".join(lines[place].split())
        if line and not line.startswith("|"):
            keys.setdefault(_numberless(line, number), []).append(place)
    return keys


def _numberless(line: str, number: int) -> str:
    """The line with its first number as the distance to that of the page, if it is a number of pages at all."""
    if not PAGE_WORD.search(line) and any(map(str.isalpha, line)):
        return line
    return re.sub(r"\d{1,6}", lambda found: f"\0{int(found[0]) - number}", line, count=1)


def _joined(text: str) -> str:
    """The text with words made whole that are cut at the end of a line."""
    words: set[str] | None = None

    def whole(found: re.Match[str]) -> str:
        nonlocal words
        before, after, rest = found.groups()
        if words is None:
            words = {word.casefold() for word in WORD.findall(CUT_WORD.sub(" ", text))}
        if not after[0].islower() or not before[-1].islower():
            return found[0]
        compound = {before.casefold(), after.casefold()} <= words and f"{before}{after}".casefold() not in words
        return f"{before}{'-' if compound else ''}{after}{rest}\n"

    return CUT_WORD.sub(whole, text)
