"""A line in the terminal that tells how far a run is, what it has cost, and how long it will take.

Knows rich. Knows nothing of what is counted.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from evals.execution.budget import Standing
from evals.report.words import duration
from rag.trace import dollars


@contextmanager
def watched(standing: Standing) -> Iterator[None]:
    """Show it while the block runs, on stderr; where that is no terminal, show nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with Live(get_renderable=lambda: line(standing), console=console, refresh_per_second=4, transient=True):
        yield


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr for work whose steps can be counted; call it with how many are done, and of how many."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def line(standing: Standing) -> Table:
    """Bar, answers of all that are planned, failures, cost so far, and the time that the rest will take at this speed."""
    row = Table.grid(padding=(0, 2))
    told = Text(f"{standing.done:,} of {standing.planned:,} answers")
    if standing.found:
        told.append(f" ({standing.found:,} known before)", "dim")
    if standing.failed:
        told.append(f", {standing.failed:,} failed", "red")
    cost = dollars(standing.spent) if not standing.unpriced else f"{dollars(standing.spent)} and what is not priced"
    row.add_row(ProgressBar(standing.planned or 1, standing.done, width=30), told, cost, _left(standing))
    return row


def _left(standing: Standing) -> str:
    if not standing.answered:
        return ""
    left = standing.seconds / standing.answered * (standing.planned - standing.done)
    return f"{duration(left)} left"
