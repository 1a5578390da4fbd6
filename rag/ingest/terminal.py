"""The report of an ingest as tables.

Knows rich; computes nothing.
"""

from collections import defaultdict
from collections.abc import Sequence

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
        gone = f"{_files(len(report.vanished))} gone since the last ingest: {_names(report.vanished)}"
        parts.append(Text(f"{gone}; what was in there stays, unless --prune is given"))
    if report.foreign_share >= FOREIGN:
        parts.append(Text(_languages(report)))
    if report.outdated:
        rebuild = f"`rag index rebuild --collection {report.collection}`"
        parts.append(
            Text(f"the generation is an older one, which `rag index use` chose: {rebuild} has the documents as they are now")
        )
    return Group(*parts)


def _languages(report: Report) -> str:
    known = {language: count for language, count in report.languages.items() if language != "und"}
    shares = ", ".join(f"{language} {count}" for language, count in known.items())
    told = f"{report.foreign_share:.0%} of the new documents are not in {next(iter(known))}, the most frequent language: {shares}"
    unknown = sum(report.languages.values()) - sum(known.values())
    return f"{told}; {unknown:,} more are too short to tell" if unknown else told


def _skipped(report: Report) -> list[RenderableType]:
    """A line for each reason."""
    sources: defaultdict[str, list[str]] = defaultdict(list)
    for skipped in report.skipped:
        sources[skipped.detail].append(skipped.source)
    return [Text(f"{_files(len(found))} skipped ({detail}): {_names(found)}") for detail, found in sources.items()]


def _names(sources: Sequence[str]) -> str:
    more = len(sources) - MOST_ROWS
    return ", ".join(sources[:MOST_ROWS]) + (f" and {more:,} more, which --json lists" if more > 0 else "")


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
        "documents renamed": len(report.renamed),
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
        table.add_row("", f"and {len(report.quarantined) - MOST_ROWS:,} more, which --json lists")
    return table
