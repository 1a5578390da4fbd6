"""Progress bars of long work, one for each of its stages.

Knows rich; computes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rag import progress


@contextmanager
def progress_bars(console: Console | None = None) -> Iterator[progress.Progress]:
    """Yields the callback that draws them. They go to stderr, so that stdout has only results."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console or Console(stderr=True)) as bars:
        tasks: dict[progress.Stage, TaskID] = {}

        def draw(stage: progress.Stage, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage.value, total=None)
            bars.update(tasks[stage], completed=done, total=total)

        yield draw
