"""A comparison as files, one for each kind of reader.

Knows names of files. Knows nothing of what is in them.
"""

from collections.abc import Sequence
from pathlib import Path

from evals.comparison import Comparison
from evals.report import html, junit, markdown
from rag.errors import GroundwireError

PAGE, COMMENT, DATA, TESTS = "report.html", "report.md", "report.json", "junit.xml"


def write(comparison: Comparison, folder: Path) -> Path:
    """A page, a comment for a pull request, JSON, and JUnit XML; returns where the page is.

    Each file is whole or not there. Raises `GroundwireError` where the folder cannot be written.
    """
    texts = {
        PAGE: html.page(comparison),
        COMMENT: markdown.comment(comparison),
        DATA: comparison.model_dump_json(indent=1),
        TESTS: junit.document([comparison]),
    }
    for name, text in texts.items():
        _replace(folder / name, text)
    return folder / PAGE


def write_comment(comparisons: Sequence[Comparison], notes: Sequence[str], path: Path) -> None:
    """One comment for all prompts of a pull request, notes on what was not compared below."""
    parts = [markdown.comment(comparison) for comparison in comparisons]
    parts += ["\n".join(f"- {markdown.inline(note)}" for note in notes)] if notes else []
    _replace(path, "\n\n".join(parts) + "\n")


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except OSError as error:
        raise GroundwireError(f"{path} cannot be written ({error.strerror})", "name another folder with --out") from error
