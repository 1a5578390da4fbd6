"""The `evals` command.

Knows options and output. Knows nothing of how anything is measured.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prompts.command import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from evals.retrieval import Result

app = Command(help="Numbers about answers, offline.")


@app.callback()
def _app() -> None:
    """Numbers about answers, offline."""


@app.command()
def retrieval(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of sets: NAME/corpus.jsonl and NAME/questions.jsonl.")],
    embedder: Annotated[str, typer.Option(help="Embed with this one.")] = "onnx",
    json: Annotated[bool, typer.Option("--json", help="Print one JSON line a set instead.")] = False,
) -> None:
    """Measure recall@5, MRR@10 and nDCG@10 of lexical, dense and hybrid retrieval on each set."""
    from rich.console import Console

    from evals.retrieval import evaluate, sets
    from rag.ingest.report import watched

    console = Console(stderr=True)
    results = []
    for path in sets(folder):
        console.print(path.name, style="bold")
        with watched(console) as progress:
            results.append(evaluate(path, embedder, progress))
        if json:
            typer.echo(results[-1].model_dump_json())
    if not json:
        Console().print(_table(results))


def _table(results: "Sequence[Result]") -> "Table":
    """One row a set and mode, the best of each set's figures bold, and the means over the sets."""
    from rich.table import Table

    table = Table("set", "mode", *(name for name in ("recall@5", "MRR@10", "nDCG@10", "ms")), box=None, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    for result in results:
        table.add_section()
        about = f"{result.name} ({result.documents:,} documents, {result.questions:,} questions, dense weight {result.dense_weight:.2f})"
        table.add_row(about, style="bold")
        for mode, figures in result.modes.items():
            values = (figures.recall_5, figures.mrr_10, figures.ndcg_10)
            table.add_row("", mode, *(f"{value:.3f}" for value in values), f"{figures.ms:.1f}")
    return table
