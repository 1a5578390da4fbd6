"""Tables in Markdown: their heads, rows and cells.

Knows their borders, and nothing of what stands between them.
"""

import re
from collections.abc import Callable, Iterable

from rag.answer.citations import citations, uncited
from rag.answer.claims import ROW, ROW_RULE

BORDER = re.compile(r"(?<!\\)\|")


def is_row(text: str) -> bool:
    """Whether it is a row, or begins with one: a head is two, its names and a rule."""
    return text.startswith(ROW)


def is_head(text: str) -> bool:
    """Whether it begins with the names of columns and a rule."""
    first, _, below = text.partition("\n")
    return is_row(first) and ROW_RULE.fullmatch(below.partition("\n")[0].strip()) is not None


def cells(row: str) -> list[str]:
    """What stands in a row, without citations."""
    inner = uncited(row, citations(row)).text.strip().removeprefix(ROW)
    *before, last = BORDER.split(inner)
    return [cell.strip() for cell in (*before, *([last] if last.strip() else []))]


def row(cells: Iterable[str]) -> str:
    """The row that they make."""
    return f"{ROW} {f' {ROW} '.join(cells)} {ROW}"


def alike(one: str, other: str) -> bool:
    """Whether two rows say something of the same name, in as many cells."""
    names = [[character for character in cells(row)[0].casefold() if character.isalnum()] for row in (one, other)]
    return len(cells(one)) == len(cells(other)) and names[0] == names[1] != []


def headed(head: str, names: Callable[[str], bool]) -> str:
    """A head without what is no name of its column."""
    first, _, rule = head.partition("\n")
    named = [cell if names(cell) else "" for cell in cells(first)]
    return head if named == cells(first) else f"{row(named)}\n{rule}"


def cited(row: str, number: int) -> str:
    """A row with a citation in its last cell: behind its last border it would be a cell too many, which is not shown."""
    return f"{row[:-1].rstrip()} [{number}] {ROW}" if row.endswith(ROW) else f"{row} [{number}]"
