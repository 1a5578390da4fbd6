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
    """One row a set and mode, and the means over the sets."""
    from statistics import fmean

    from rich.table import Table

    table = Table("set", "mode", "recall@5", "MRR@10", "nDCG@10", "ms", box=None, header_style="dim")
    for column in table.columns[2:]:
        column.justify = "right"
    modes = list(results[0].modes)
    for result in results:
        for mode, figures in result.modes.items():
            values = (figures.recall_5, figures.mrr_10, figures.ndcg_10)
            table.add_row(
                _about(result, modes.index(mode)),
                mode,
                *(f"{value:.3f}" for value in values),
                f"{figures.ms:.1f}",
                end_section=mode == modes[-1],
            )
    for mode in modes:
        measured = [result.modes[mode] for result in results]
        means = (fmean(getattr(figures, name) for figures in measured) for name in ("recall_5", "mrr_10", "ndcg_10"))
        table.add_row("mean" if mode == modes[0] else "", mode, *(f"{mean:.3f}" for mean in means))
    return table


def _about(result: "Result", line: int) -> str:
    """What stands beside the modes of a set, a line each."""
    from rich.markup import escape

    return (
        f"[bold]{escape(result.name)}[/]",
        f"{result.documents:,} documents, {result.questions:,} questions",
        f"dense weight {result.dense_weight:.2f}",
    )[line]
