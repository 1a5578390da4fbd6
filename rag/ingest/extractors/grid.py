"""Finds tables on a page that was read twice: by what follows what, and by what stands beside what.

Knows text alone. Takes for a row only what both readings have together, so that two columns of prose are none.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rag.ingest.extractors.base import table

CELL = re.compile(r"\S+(?: \S+)*")
VALUE = re.compile(r"[-+~<>≤≥±(]*[$€£¥]?\s?\d")
YEAR = re.compile(r"(?:19|20)\d\d")
MOST_LINES = 300
"""Of a page; more are no page that a person reads."""
MOST_CELLS = 1500
"""Of a page, too."""
MOST_IN_ROW = 12
"""Lines of a row whose cells are wrapped."""
MOST_PLACES = 20
"""At which a table is looked for."""
LEAST_CELLS = 6
"""Of a table."""
LONGEST = 60
"""Letters of a cell on average: longer ones are prose in columns."""


class Cell(NamedTuple):
    """A text and where it stands in its line."""

    start: int
    end: int
    text: str


Line = Sequence[Cell]
Column = tuple[int, int]
Row = list[str]


class Table(NamedTuple):
    """Its rows, and where they are in the text without spaces."""

    start: int
    end: int
    rows: list[Row]


def tabled(plain: str, layout: str) -> str:
    """The plain text of a page with its tables in Markdown. `layout`: the same page with spaces between what stands side by side."""
    lines = [[Cell(*cell.span(), cell[0]) for cell in CELL.finditer(line)] for line in layout.splitlines() if line.strip()]
    if len(lines) > MOST_LINES or sum(map(len, lines)) > MOST_CELLS:
        return plain
    places = [place for place, sign in enumerate(plain) if not sign.isspace()]
    squeezed = "".join(plain[place] for place in places)
    pieces: list[str] = []
    done = 0
    for found in sorted(found for run in _runs(lines) for found in _tables(run, squeezed)):
        start, end = places[found.start], places[found.end - 1] + 1
        around = plain[:start].rpartition("\n")[2] + plain[end:].partition("\n")[0]
        if start >= done and not around.strip():
            pieces += plain[done:start].strip(), _written(found.rows)
            done = end
    return "\n\n".join(filter(None, (*pieces, plain[done:].strip()))) if pieces else plain


def _runs(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Consecutive lines whose cells stand in the same columns, the first and the last of them with several cells."""
    run: list[Line] = []
    columns: list[Column] = []
    for line in [*lines, []]:
        if run and line and (_inside(line, columns) or _aligned([*run, line])):
            columns = columns if _inside(line, columns) else _columns([*run, line])
            run.append(line)
            continue
        while run and len(run[-1]) == 1:
            run.pop()
        yield run
        run = [line] if len(line) > 1 else []
        columns = _columns(run)


def _inside(line: Line, columns: Sequence[Column]) -> bool:
    """Whether the columns hold each cell in one of its own, so that they stay as they are."""
    within = [column for cell in line for column in columns if column[0] <= cell.start and cell.end <= column[1]]
    return len(set(within)) == len(within) == len(line)


def _aligned(lines: Sequence[Line]) -> bool:
    """Whether each cell stands in a column of its own, and at most one column is empty in the line with the most cells."""
    columns = _columns(lines)
    return len(columns) <= max(map(len, lines)) + 1 and all(_fits(line, columns) for line in lines)


def _fits(line: Line, columns: Sequence[Column]) -> bool:
    below = [column for cell in line for column in columns if _overlap(cell, column)]
    return len(set(below)) == len(below) == len(line)


def _columns(lines: Sequence[Line]) -> list[Column]:
    """Where cells stand below each other, by the lines with several."""
    columns: list[Column] = []
    rows = [line for line in lines if len(line) > 1]
    for cell in sorted(cell for line in rows for cell in line):
        # Cells of a line are two spaces apart. What is closer is one column, at its left and at its right.
        if columns and (cell.start < columns[-1][1] or (cell.start == columns[-1][1] + 1 and not _both(rows, columns[-1], cell))):
            columns[-1] = (columns[-1][0], max(columns[-1][1], cell.end))
        else:
            columns.append((cell.start, cell.end))
    return columns


def _both(lines: Sequence[Line], column: Column, cell: Cell) -> bool:
    """Whether a line has something in the column and something below or above the cell."""
    return any(any(_overlap(one, column) for one in line) and any(_overlap(one, cell[:2]) for one in line) for line in lines)


def _overlap(cell: Cell, column: Column) -> bool:
    return cell.start < column[1] and column[0] < cell.end


def _tables(run: Sequence[Line], squeezed: str) -> Iterator[Table]:
    """The parts of a run whose rows follow each other in the text, too."""
    columns = _columns(run)
    grid = [[_at(line, column) for column in columns] for line in run]
    first = 0
    while first < len(grid):
        found = max((_followed(grid, first, start, squeezed) for start in _places(grid[first], squeezed)), default=None)
        lines, there = found or (0, None)
        first += max(1, lines)
        if there and len(there.rows) > 1:
            cells = sum(map(bool, (cell for row in there.rows for cell in row)))
            if cells >= LEAST_CELLS and there.end - there.start <= cells * LONGEST:
                yield there


def _at(line: Line, column: Column) -> str:
    return next((cell.text for cell in line if _overlap(cell, column)), "")


def _places(row: Row, squeezed: str) -> list[int]:
    """Where the text has the first cell of a row."""
    first = re.escape(_squeezed(next(filter(None, row))))
    return [found.start() for found in itertools.islice(re.finditer(first, squeezed), MOST_PLACES)]


def _followed(grid: Sequence[Row], first: int, start: int, squeezed: str) -> tuple[int, Table]:
    """How many lines from the first make rows that the text has from `start` one after another, and these rows."""
    rows: list[Row] = []
    number, end = first, start
    while number < len(grid):
        for lines in (grid[number : number + count] for count in range(1, min(MOST_IN_ROW, len(grid) - number) + 1)):
            row = [" ".join(filter(None, cells)) for cells in zip(*lines, strict=True)]
            content = _squeezed("".join(row))
            if _one_row(lines) and squeezed.startswith(content, end):
                break
        else:
            break
        end += len(content)
        number += len(lines)
        if rows and sum(map(bool, row)) == 1 and not row[0]:
            # What one cell has left over is wrapped, too.
            rows[-1] = [" ".join(filter(None, cells)) for cells in zip(rows[-1], row, strict=True)]
        else:
            rows.append(row)
    while rows and sum(map(bool, rows[-1])) == 1:
        end -= len(_squeezed("".join(rows.pop())))
    return number - first, Table(start, end, rows)


def _one_row(lines: Sequence[Row]) -> bool:
    """Whether lines can be one row: else all its cells would be wrapped, which looks like several rows read column by column."""
    return len(lines) == 1 or any(sum(map(bool, cells)) == 1 for cells in zip(*lines, strict=True))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _written(rows: Sequence[Row]) -> str:
    """A table below its header; rows without one are lines, because the first row would be mistaken for it."""
    return table(rows) if _named(rows[0], rows[1:]) else "\n".join(" | ".join(row).rstrip(" |") for row in rows)


def _named(header: Row, body: Sequence[Row]) -> bool:
    """Whether the first row is plainly a header: names or years, and below one of them nothing but values."""
    names = all(header[1:]) and not any(VALUE.match(name) and not YEAR.fullmatch(name) for name in header)
    return names and any(all(VALUE.match(cell) for cell in column if cell) for column in list(zip(*body, strict=True))[1:])
