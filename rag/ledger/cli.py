"""The `rag ledger` commands: copy, prune.

Knows options and output. Knows nothing of tables.
"""

from typing import Annotated

import typer

from prompts.command import show
from prompts.errors import GroundwireError
from rag.options import ago

app = typer.Typer(no_args_is_help=True, help="The database of documents, traces and everything else that is not derived.")


@app.command("copy")
def copy_ledger(to: Annotated[str, typer.Option("--to", metavar="URL", help="As GROUNDWIRE_LEDGER is written.")]) -> None:
    """Copy the ledger into an empty one: all of it, compared row by row, or nothing. Servers that write should be stopped before."""
    from shlex import quote

    from rag.bars import progress_bars
    from rag.ledger.copying import copy
    from rag.ledger.database import opened
    from rag.settings import Settings

    with opened(Settings().existing().ledger_url) as source, opened(to) as target, progress_bars() as progress:
        rows = copy(source, target, progress)
        told = {name: value for name, value in target.url.query.items() if "password" not in name}
        place = target.url.set(drivername=target.dialect.name, query=told).render_as_string()
    show(*(f"{count:>12,}  {table}" for table, count in rows.items()))
    show(f"every row arrived as it was; now set GROUNDWIRE_LEDGER={quote(place)} for every process")


@app.command("prune")
def prune_ledger(
    older: Annotated[str | None, typer.Option(metavar="AGE", help="Traces that are older go, as in 90d.")] = None,
    trace: Annotated[str | None, typer.Option(metavar="ID", help="Only this trace.")] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="Only what was asked with this API key.")] = None,
    collection: Annotated[str | None, typer.Option(metavar="NAME", help="Only what was asked of this collection.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove traces and what was said of them: old ones, or a single one, one key's or one collection's of any age.

    Those that an evaluation's results name stay. Servers may go on meanwhile.
    """
    from rich.filesize import decimal

    from rag.bars import progress_bars
    from rag.ledger.database import opened
    from rag.ledger.retention import Only, obstacle, prunable, prune
    from rag.settings import Settings

    only = Only(trace, key, collection)
    if older is None and not any(only):
        raise GroundwireError("it is not said which traces are to go", "name --older, --trace, --key or --collection")
    before = ago("--older", older or "0d")
    with opened(Settings().existing().ledger_url) as engine, progress_bars() as progress:
        hindered = obstacle(engine, before, only)
        pruned = prunable(engine, before, only) if dry_run else prune(engine, before, progress, only)
    verb = "would be removed" if dry_run else "were removed"
    show(f"{pruned.traces:,} traces ({decimal(pruned.bytes)}) and {pruned.feedback:,} entries of feedback {verb}")
    if hindered:
        typer.echo(f"note: {hindered}", err=True)
