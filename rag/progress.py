"""How far long work is. Knows stages; draws nothing."""

import enum
from collections.abc import Callable


class Stage(enum.StrEnum):
    """What is being done, and what is counted."""

    READ = "files read"
    CHUNK = "documents chunked"
    EMBED = "chunks embedded"
    INDEX = "chunks indexed"
    COPY = "chunks copied"
    ROWS = "rows copied"
    COMPARE = "rows compared"
    PRUNE = "traces removed"


Progress = Callable[[Stage, int, int], None]
"""Called with the stage, how many are done, and of how many."""


def silent(stage: Stage, done: int, total: int) -> None:
    """What draws nothing."""
