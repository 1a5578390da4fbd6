"""What every extractor gives, and how it writes Markdown: tables and the numbers of lists.

Knows no format that is read.
"""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

UNTITLED = re.compile(
    r"(?i)[(\[]?(?:anonymous|untitled|unspecified|no title|title|unbenannt|sans titre|ohne titel)[)\]]?\s*\d*"
    r"|(?:word |untitled |new )?document\s*\d*|dokument\s*\d*|(?:powerpoint )?presentation\s*\d*|slide 1"
    r"|microsoft (?:word|excel|powerpoint) - .*|.*\.(?:docx?|docm|dotx?|xlsx?|pptx?|pdf|od[tps]|rtf|txt|tex|dvi|indd|qxd|pages|html?)"
)
"""What a program writes as the title of a document to which nobody gave one."""
ITEM = re.compile(r"\n+\s*-\s+")
ROMAN = {
    1000: "m",
    900: "cm",
    500: "d",
    400: "cd",
    100: "c",
    90: "xc",
    50: "l",
    40: "xl",
    10: "x",
    9: "ix",
    5: "v",
    4: "iv",
    1: "i",
}
SUPERSCRIPTS = str.maketrans("0123456789+-\N{MINUS SIGN}", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻")


class Extract(NamedTuple):
    """The text of a file; the title is empty if it has none."""

    title: str
    text: str
    lost: str = ""
    """What could not be read of the file, and how to mend it; empty if all could."""


class UnreadableError(Exception):
    """Says why a file cannot be read, and how to mend it."""


def titled(title: str | None) -> str:
    """The title of a document, empty if it is none."""
    title = " ".join((title or "").split())
    return "" if UNTITLED.fullmatch(title) else title


def table(rows: Iterable[Sequence[str]], depth: int = 1) -> str:
    """A Markdown table whose first `depth` rows are its header, made one row: the names above a column one after another."""
    cells = [[_cell(cell) for cell in row] for row in rows if any(row)]
    if not cells:
        return ""
    header = [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*cells[:depth], strict=False)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, ["---"] * len(header), *cells[depth:]))


def narrowed(rows: Iterable[Sequence[str]], begun: Container[int]) -> Iterator[list[str]]:
    """The rows without the columns in which no cell begins, such as those of a cell that spans more than the table has."""
    return ([cell for place, cell in enumerate(row) if place in begun] for row in rows)


def _cell(text: str) -> str:
    """On one line; the items of a list in it are parted by semicolons."""
    return " ".join(ITEM.sub("; ", text.strip()).removeprefix("- ").split()).replace("|", r"\|")


def numeral(number: int, style: str) -> str:
    """A number as digits, letters (a, b, ..., z, aa, bb) or Roman; `style` is one of Word's names for that."""
    if style.endswith("Letter") and number > 0:
        numeral = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
    elif style.endswith("Roman") and 0 < number < 4000:
        numeral = ""
        for value, sign in ROMAN.items():
            numeral += sign * (number // value)
            number %= value
    elif style == "decimalZero":
        numeral = f"{number:02}"
    else:
        numeral = str(number)
    return numeral.upper() if style.startswith("upper") else numeral
