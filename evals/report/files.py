"""A comparison, or a run by itself, as files, one for each kind of reader.

Knows names of files. Knows nothing of what is in them.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from evals.comparison import GRAVEST, Comparison
from evals.measurement import Measurement
from evals.report import html, junit, markdown
from prompts.files import replace

PAGE, COMMENT, DATA, TESTS = "report.html", "report.md", "report.json", "junit.xml"


def write(told: Comparison | Measurement, folder: Path) -> Path:
    """A page, a comment for a pull request, JSON, and JUnit XML; returns where the page is.

    Each file is whole or not there. Raises `GroundwireError` where the folder cannot be written.
    """
    texts = {
        PAGE: html.page(told),
        COMMENT: markdown.comment(told),
        DATA: told.model_dump_json(indent=1),
        TESTS: junit.document([told]),
    }
    for name, text in texts.items():
        _written(folder / name, text)
    return folder / PAGE


def write_comment(comparisons: Sequence[Comparison], faults: Sequence[str], notes: Sequence[str], path: Path) -> None:
    """One comment for all prompts of a pull request, the gravest first: what could not be compared and should have been, the verdicts,
    and notes on what was not to be compared.
    """
    ordered = sorted(comparisons, key=lambda comparison: GRAVEST.index(comparison.verdict))
    parts = [
        "\n".join(f"- **Problem:** {markdown.inline(fault)}" for fault in faults),
        *map(markdown.comment, ordered),
        "\n".join(f"- {markdown.inline(note)}" for note in notes),
    ]
    _written(path, "\n\n".join(filter(None, parts)) + "\n")


def _written(path: Path, text: str) -> None:
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
    replace(path, text, "name another folder with --out")
