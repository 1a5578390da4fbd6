"""How well each set is retrieved, as a table in the terminal.

Knows rich. Knows nothing of how any of it is measured.
"""

from collections.abc import Sequence
from statistics import fmean

from rich.markup import escape
from rich.table import Table

from evals.retrieval import Result


def retrieval_table(results: Sequence[Result]) -> Table:
    """One row a set and mode, and the means over the sets."""
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


def _about(result: Result, line: int) -> str:
    """What stands beside the modes of a set, a line each."""
    return (
        f"[bold]{escape(result.name)}[/]",
        f"{result.documents:,} documents, {result.questions:,} questions",
        f"dense weight {result.dense_weight:.2f}",
    )[line]
