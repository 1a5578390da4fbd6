"""The report of an ingest as tables.

Knows rich; computes nothing.
"""

from collections import defaultdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rag.ingest.report import Report

MOST_ROWS = 20
"""Rows of the quarantine, and files skipped for one reason, that are shown; the others are only counted."""
FOREIGN = 0.05
"""The share of documents in other languages from which on it is reported."""


def render(report: Report) -> RenderableType:
    """What was done, and what is wrong with the data and why."""
    parts: list[RenderableType] = [_summary(report)]
    if report.quarantined:
        parts.append(_quarantine(report))
    parts += _skipped(report)
    if report.vanished:
        parts.append(
            Text(f"{_files(report.vanished)} gone since the last ingest; what was in there stays, unless --prune is given")
        )
    if report.foreign_share >= FOREIGN:
        shares = ", ".join(f"{language} {count}" for language, count in report.languages.items())
        parts.append(Text(f"{report.foreign_share:.0%} of the new documents are not in the most frequent language: {shares}"))
    return Group(*parts)


def _skipped(report: Report) -> list[RenderableType]:
    """A line for each reason."""
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for skipped in report.skipped:
        sources[skipped.detail].append(skipped.source)
    return [
        Text(
            f"{_files(len(found))} skipped ({detail}): {', '.join(found[:MOST_ROWS])}"
            + (f" and {len(found) - MOST_ROWS:,} more" if len(found) > MOST_ROWS else "")
        )
        for detail, found in sources.items()
    ]


def _files(count: int) -> str:
    return f"{count:,} file{'s' if count > 1 else ''}"


def _summary(report: Report) -> Table:
    table = Table(title=f"Collection {report.collection}", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("files", f"{report.files:,}")
    table.add_row("documents", f"{report.documents:,}")
    table.add_row("chunks", f"{report.chunks:,}")
    what_happened = {
        "files unchanged": report.files_unchanged,
        "files skipped": len(report.skipped),
        "documents added": report.added,
        "documents changed": report.changed,
        "documents unchanged": report.unchanged,
        "documents removed": report.removed,
        "documents kept in their earlier version": report.kept,
        "documents that repeat another": report.twins,
        "chunks embedded": report.embedded,
        "chunks whose vectors were kept": report.reused,
        "quarantined": len(report.quarantined),
    }
    for name, count in what_happened.items():
        if count:
            table.add_row(name, f"{count:,}")
    table.add_row("generation", report.generation or "none")
    table.add_row("time", f"{report.seconds:.1f} s")
    return table


def _quarantine(report: Report) -> Table:
    table = Table(title="Quarantined", title_justify="left")
    table.add_column("reason", no_wrap=True)
    table.add_column("what and where", overflow="fold")
    for flaw in report.quarantined[:MOST_ROWS]:
        table.add_row(flaw.reason.value, Text(flaw.detail))
    if len(report.quarantined) > MOST_ROWS:
        table.add_row("", f"and {len(report.quarantined) - MOST_ROWS:,} more")
    return table
