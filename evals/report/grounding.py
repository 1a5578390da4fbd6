"""A benchmark of validators as people see it: tables in the terminal and in Markdown, a bar while it runs.

Knows rich and Markdown. Knows nothing of how any of it is measured.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from evals.comparison import Estimate
from evals.grounding.benchmark import Measured, Report
from evals.grounding.benchmark import Progress as Watcher
from evals.grounding.figures import FlipFigures, SetFigures
from evals.grounding.speed import CLAIMS, PASSAGES

UNKNOWN = "-"
GAP = 2
"""Columns of the terminal between two of a table."""
SETS = (
    "set",
    "rows",
    "hall.",
    "silent",
    "AUROC",
    "95 %",
    "of score",
    "bal. acc.",
    "best",
    "caught",
    "false al.",
    "ms p50",
    "p95",
)
FLIPS = ("flips", "n", "caught", "95 %", "false al.", "p < .5", "orig.", "AUROC")


class Sheet(NamedTuple):
    """A table without a medium: the first column names, the others hold numbers."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


class Folded(NamedTuple):
    """A sheet for a terminal: columns that do not fit into its width follow below, beside the names once more."""

    sheet: Sheet

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.sheet.title, "italic")
        for columns in _folds(self.sheet, options.max_width):
            table = Table(box=None, header_style="dim")
            for place in columns:
                table.add_column(escape(self.sheet.headings[place]), justify="right" if place else "left", no_wrap=bool(place))
            for row in self.sheet.rows:
                table.add_row(*(escape(row[place]) for place in columns))
            yield table


def grounding_table(report: Report) -> Group:
    """Every validator's sets and flips, and their AUROC side by side where there are several."""
    return Group(*map(Folded, _sheets(report)))


def markdown(report: Report) -> str:
    """The same tables for a page."""
    return "\n".join(_markdown(sheet) for sheet in _sheets(report))


@contextmanager
def watched() -> Iterator[Watcher]:
    """Draw a bar for each validator, on stderr, so that stdout stays what was asked for."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def draw(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(escape(name), total=total)
            bars.update(tasks[name], completed=done)

        yield draw


def _sheets(report: Report) -> Iterator[Sheet]:
    drawn = f"at most {report.limit:,} rows a set" if report.limit else "all rows"
    for measured in report.validators:
        yield Sheet(
            f"{measured.name}: {drawn}, seed {report.seed}; {_cost(measured)}; {measured.identity}",
            SETS,
            [*map(_set_row, measured.sets), _mean_row(measured)],
        )
        if measured.flips:
            yield Sheet(f"{measured.name}: one-fact flips of supported responses", FLIPS, [*map(_flip_row, measured.flips)])
    if len(report.validators) > 1:
        yield _side_by_side(report.validators)


def _folds(sheet: Sheet, width: int) -> Iterator[list[int]]:
    """The columns of each table, so that none is wider than `width`; the first column is in all of them, with one other at least."""
    widths = [max(map(cell_len, cells)) + GAP for cells in zip(sheet.headings, *sheet.rows, strict=True)]
    fold, used = [0], widths[0]
    for place in range(1, len(widths)):
        if len(fold) > 1 and used + widths[place] > width:
            yield fold
            fold, used = [0], widths[0]
        fold.append(place)
        used += widths[place]
    yield fold


def _cost(measured: Measured) -> str:
    """Time for an ordinary answer, and memory."""
    memory = f"peak RAM {measured.peak_mb:,.0f} MB, before it was opened {measured.peak_mb_before:,.0f}"
    if measured.speed is None:
        return memory
    speed, about = measured.speed, f"{CLAIMS} claims over {PASSAGES} passages"
    new, again = (
        f"{speed.ms_p50:.1f} ms (p95 {speed.ms_p95:.1f})",
        f"{speed.again_ms_p50:.1f} (p95 {speed.again_ms_p95:.1f}) the second time",
    )
    return f"an answer of {about} takes {new}, {again}; {memory}"


def _side_by_side(validators: Sequence[Measured]) -> Sheet:
    rows = [[found.name, *(_value(of.sets[place].auroc) for of in validators)] for place, found in enumerate(validators[0].sets)]
    rows.append(["flips", *(_value(of.flips[-1].auroc if of.flips else None) for of in validators)])
    return Sheet("AUROC side by side", ("set", *(measured.name for measured in validators)), rows)


def _set_row(figures: SetFigures) -> list[str]:
    return [
        figures.name,
        f"{figures.rows:,}",
        f"{figures.hallucinated:,}",
        f"{figures.unstated:,}",
        _value(figures.auroc),
        _interval(figures.auroc),
        _share(figures.score_auroc),
        _share(figures.balanced_accuracy),
        _share(figures.best_balanced_accuracy),
        _share(figures.caught),
        _share(figures.false_alarms),
        f"{figures.ms_p50:.1f}",
        f"{figures.ms_p95:.1f}",
    ]


def _mean_row(measured: Measured) -> list[str]:
    """Over the sets that have both classes, each counted once."""
    both = [figures for figures in measured.sets if figures.auroc]
    return [
        "mean",
        "",
        "",
        "",
        _mean(figures.auroc.value if figures.auroc else None for figures in both),
        "",
        _mean(figures.score_auroc for figures in both),
        _mean(figures.balanced_accuracy for figures in both),
        _mean(figures.best_balanced_accuracy for figures in both),
        _mean(figures.caught for figures in both),
        _mean(figures.false_alarms for figures in both),
        "",
        "",
    ]


def _flip_row(figures: FlipFigures) -> list[str]:
    return [
        figures.kind or "all",
        f"{figures.flips:,}",
        _value(figures.caught),
        _interval(figures.caught),
        _value(figures.false_alarms),
        _share(figures.doubted),
        _share(figures.doubted_originals),
        _value(figures.auroc),
    ]


def _mean(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return _share(sum(known) / len(known) if known else None)


def _value(estimate: Estimate | None) -> str:
    return _share(estimate.value if estimate else None)


def _interval(estimate: Estimate | None) -> str:
    return f"{estimate.low:.3f}-{estimate.high:.3f}" if estimate else UNKNOWN


def _share(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.3f}"


def _markdown(sheet: Sheet) -> str:
    lines = [sheet.headings, ["---", *["---:"] * (len(sheet.headings) - 1)], *sheet.rows]
    table = "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)
    return f"**{sheet.title}**\n\n{table}\n"
