"""An ingest as people see it when it is done: tables.

Knows rich; computes nothing.
"""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rag.ingest.quality import Report

MOST_ROWS = 20
"""Of the quarantine, before the rest is only counted."""
FOREIGN = 0.05
"""The share of documents in other languages from which on it is worth a look."""


def shown(report: Report) -> RenderableType:
    """What was done, and, where something is wrong with the data, what and why."""
    parts: list[RenderableType] = [_summary(report)]
    if report.quarantined:
        parts.append(_quarantine(report))
    if report.skipped:
        names = ", ".join(skipped.source for skipped in report.skipped[:MOST_ROWS])
        parts.append(Text(f"{_files(len(report.skipped))} skipped, of a type that is not read: {names}"))
    if report.vanished:
        parts.append(
            Text(f"{_files(report.vanished)} gone since the last ingest; what was in there stays, unless --prune is given")
        )
    if report.foreign_share >= FOREIGN:
        shares = ", ".join(f"{language} {count}" for language, count in report.languages.items())
        parts.append(Text(f"{report.foreign_share:.0%} of the new documents are not in the most frequent language: {shares}"))
    return Group(*parts)


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
