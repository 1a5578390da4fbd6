"""Long work as people see it: a bar for each of its stages.

Knows rich; computes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rag import progress


@contextmanager
def watched(console: Console | None = None) -> Iterator[progress.Progress]:
    """Draw a bar for each stage that has something to do; on stderr, so that stdout stays what was asked for."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console or Console(stderr=True)) as bars:
        tasks: dict[progress.Stage, TaskID] = {}

        def draw(stage: progress.Stage, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage.value)
            bars.update(tasks[stage], completed=done, total=total)

        yield draw
