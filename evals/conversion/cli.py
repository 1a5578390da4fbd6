"""The commands that write cases: convert, promote.

Knows options and output. Knows nothing of how a case comes about.
"""

from pathlib import Path
from typing import Annotated

import typer

from rag.figures import counted

To = Annotated[Path, typer.Option("--to", metavar="FILE", help="Add them to this file of cases.")]


def convert(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="promptfoo YAML; Ragas, Hugging Face or our own JSONL or JSON; CSV.")
    ],
    to: To,
) -> None:
    """Make cases of what another tool keeps."""
    from evals.cases import append
    from evals.conversion import convert as converted

    found = converted(file)
    append(found.cases, to)
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    typer.echo(f"{counted(len(found.cases), 'case')} added to {to}")


def promote(
    traces: Annotated[list[str], typer.Argument(metavar="TRACE...", help="Ids of traces, or their beginnings.")],
    to: To,
) -> None:
    """Make cases of questions that were really asked; each is to be read by a person before it counts."""
    from evals.cases import append
    from evals.promotion import distinct, promoted
    from rag.runtime import Runtime
    from rag.settings import Settings

    with Runtime(Settings().existing()) as runtime:
        asked = [promoted(runtime.traces.get(id)) for id in dict.fromkeys(traces)]
    found = distinct(asked)
    append(found, to)
    for case in asked:
        if case not in found:
            typer.echo(f"note: {case.id} is left out: another of these traces asks the same", err=True)
    said = f"{counted(len(found), 'case')} added to {to}: read what is expected, and complete references and gold_ids"
    typer.echo(f"{said}; then take the tag review away")
