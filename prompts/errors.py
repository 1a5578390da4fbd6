"""The one error people are meant to read.

Knows how a failure is told: what is wrong with which thing, and how to mend it. Knows nothing of where it is shown.
"""

from pathlib import Path


class GroundwireError(Exception):
    """A failure that names its cause and the mend, each as one sentence on one line.

    >>> str(GroundwireError("prompt answer@9 does not exist", "`prompts list` shows what there is"))
    'prompt answer@9 does not exist: `prompts list` shows what there is'
    """

    def __init__(self, problem: str, mend: str) -> None:
        self.problem = " ".join(problem.split())
        self.mend = " ".join(mend.split())
        super().__init__(self.problem, self.mend)

    def __str__(self) -> str:
        return f"{self.problem}: {self.mend}"


class NotFoundError(GroundwireError):
    """What was named is not there."""


def file_error(path: Path, problem: str, mend: str, line: int | None = None) -> GroundwireError:
    """An error of a file, named relative to the working directory, at a line of it."""
    name = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return GroundwireError(f"{name}{f':{line}' if line else ''}: {problem}", mend)
