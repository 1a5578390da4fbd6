"""A sentence of a page as plain prose.

Knows Markdown, and the marks of references; knows nothing of what is said.
"""

import re

from rag.answer.claims import CODE, HEADING, STOPS
from rag.text.pronouns import declares
from rag.text.sentences import unmarked
from rag.text.speech import FINITE, spoken

SHORT = 5
"""Words up to which what ends without a stop, and has no number and no verb, only names something."""
LINK = re.compile(r"(?<![\w\]])!?\[(?P<text>[^\[\]]*)\]\((?:[^()\s]|\([^()]*\))*(?:\s+\"[^\"]*\")?\)")
NUMBERS = r"\d{1,3}(?:[\s,;\[\]\u2013-]{1,6}\d{1,3}){0,30}[\s,;]{0,6}"
REFERENCE = re.compile(
    rf"(?P<figure>[\d%°]|\b(?:CI|IQR|SD)(?=\s))?(?:(?<!\s)\s+)?\[{{1,2}}\^?(?P<numbers>{NUMBERS})\]{{1,2}}(?:\s+(?=[.,;:]))?"
)
"""A mark of the page's own, which would be read as one of the answer's; behind a figure it may be a range."""
BOLD = re.compile(r"\*\*(?=\S)([^*]+)(?<=\S)\*\*")
BORDER = re.compile(r"\s\|\s")
TAG = re.compile(r"</?(?:a|b|br|code|em|i|li|p|span|strong|sub|sup|td|th|tr|u|ul)\b[^<>]*>")
INLINE_CODE = re.compile(r"((?<!`)`+[^`]+`+)")


def prose(text: str) -> str:
    """`text` in plain words, without a list marker. Empty where it is no sentence: a heading, a block of code, the name of something."""
    if HEADING.match(text) or CODE.match(text):
        return ""
    said = plain(unmarked(text))
    return said.rstrip(" :\uff1a") if _is_sentence(said) else ""


def plain(text: str) -> str:
    """`text` on one line, without links, tags, the marks of references, and borders."""
    linked = LINK.sub(lambda link: "" if link["text"].isdigit() else link["text"], text)
    parts = INLINE_CODE.split(linked)
    parts[::2] = [BORDER.sub(", ", REFERENCE.sub(_figured, TAG.sub(" ", part))) for part in parts[::2]]
    return " ".join(BOLD.sub(r"\1", "".join(parts)).strip("| \t\n").split())


def _figured(mark: re.Match[str]) -> str:
    return f"{mark['figure']} ({mark['numbers'].strip()})" if mark["figure"] else ""


def _is_sentence(text: str) -> bool:
    if text.endswith(STOPS) or len(text.split()) > SHORT:
        return any(map(str.isalnum, text))
    return bool(re.search(r"\d", text) or FINITE.search(spoken(text)) or declares(text))
