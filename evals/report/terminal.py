"""A comparison, one run, or a list of runs, in a terminal of 80 columns or more.

Knows rich and colours. Knows nothing of how a number is computed.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.comparison import Comparison, Effect, Finding, Verdict
from evals.format import between, change, interval, probability, shown
from evals.measurement import Mean, Measurement, Quantile
from evals.report import words
from evals.report.text import line

if TYPE_CHECKING:
    from evals.execution.runs import Run

BAR = 21
"""Columns of an interval's picture; odd, so that zero has one."""
SENTENCES = 12
LOST = 3
"""Questions that are named; the reports have more."""
_VERDICTS = {
    Verdict.BETTER: "bold green",
    Verdict.WORSE: "bold red",
    Verdict.EQUIVALENT: "bold cyan",
    Verdict.UNKNOWN: "bold yellow",
    Verdict.UNTRUSTWORTHY: "bold red",
}
_FINDINGS = {
    Finding.BETTER: "green",
    Finding.WORSE: "red",
    Finding.EQUIVALENT: "cyan",
    Finding.HELD: "cyan",
    Finding.UNKNOWN: "yellow",
}


def comparison_table(comparison: Comparison) -> Group:
    """The verdict, the effects that decide, why, what to know before trusting it, and what it rests on."""
    before, word, after = words.headline(comparison)
    lead = words.lead(comparison)
    parts: list[RenderableType] = [
        Text.assemble((before, "bold"), (word, _VERDICTS[comparison.verdict]), (after, "bold"), "." if lead else ""),
        *([Text(line(lead[0].upper() + lead[1:], 600))] if lead else []),
        "",
    ]
    if effects := words.declared(comparison):
        parts += [_effects(effects), ""]
    said = [_sentence("·", "dim", reason) for reason in comparison.reasons[1:][:SENTENCES]]
    said += [_sentence("!", "bold yellow", told) for told in (*comparison.problems[:SENTENCES], *words.fallen(comparison))]
    said += [_sentence("·", "dim", note) for note in comparison.notes[:SENTENCES]]
    lost = [flip for flip in comparison.flips if flip.crossed and not flip.gained]
    said += [_sentence("·", "dim", f"lost: {line(flip.case.question, 100)}") for flip in lost[:LOST]]
    return Group(
        *parts,
        *said,
        *([""] if said else []),
        Text(line(f"{words.sides(comparison)} · {words.foundation(comparison)}", 800), "dim"),
    )


def run_table(measurement: Measurement) -> Group:
    """One run: the mean of each metric it has, with its interval, the cases it was measured on, and what is missing."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("metric", overflow="fold")
    for heading in ("mean", "interval", "cases", "missing"):
        table.add_column(heading, justify="right", no_wrap=True)
    for mean in measurement.means:
        table.add_row(*_mean(mean))
        for one in measurement.quantiles:
            if one.metric == mean.metric:
                table.add_row(*_quantile(one))
    run = measurement.run
    parts: list[RenderableType] = [
        Text.assemble((line(run.name, words.NAME), "bold"), (f"  run {run.run_id}", "dim")),
        "",
        table,
        "",
    ]
    parts += [_sentence("!", "bold yellow", problem) for problem in measurement.problems[:SENTENCES]]
    ended = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in run.outcomes.items())
    return Group(*parts, Text(line(f"{ended} · {words.foundation(measurement)}", 600), "dim"))


def runs_table(latest: "Sequence[tuple[Run, int]]") -> Table:
    """One row a run, with how many of its answers there are."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("run", style="cyan", no_wrap=True)
    for heading in ("name", "model", "collection"):
        table.add_column(heading, overflow="fold")
    table.add_column("answers", justify="right", no_wrap=True)
    table.add_column("begun (UTC)", style="dim")
    for run, answers in latest:
        planned = run.asked * run.repeats
        done = Text(f"{answers:,}") if answers >= planned else Text(f"{answers:,} of {planned:,}", "yellow")
        texts = (Text(line(text, 60)) for text in (run.name, run.variant.llm.model, run.collection))
        table.add_row(run.id, *texts, done, run.created_at[:16].replace("T", " "))
    return table


def _mean(mean: Mean) -> tuple[RenderableType, ...]:
    value = shown(mean.metric, mean.estimate.value) if mean.estimate else "unknown"
    ends = Text(between(mean.metric, mean.estimate), "dim")
    missing = Text(f"{mean.missing:,}", "yellow" if mean.missing else "dim")
    return Text(line(mean.metric.label, 40)), value, ends, f"{mean.cases:,}", missing


def _quantile(one: Quantile) -> tuple[RenderableType, ...]:
    name = Text(f"  p{100 * one.quantile:g}", "dim")
    return name, shown(one.metric, one.estimate.value), Text(between(one.metric, one.estimate), "dim"), "", ""


def _effects(effects: Sequence[Effect]) -> Table:
    """Two lines an effect: the change and a picture of its interval, then from where to where and the interval in numbers."""
    half = BAR // 2
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("metric\n↓ lower is better", overflow="fold")
    table.add_column("change\nfrom → to", justify="right", no_wrap=True)
    table.add_column(f"{'← worse ':>{half}}│{' better →':<{half}}\ninterval", width=BAR)
    table.add_column("finding", no_wrap=True)
    for effect in effects:
        metric, style = effect.metric, _FINDINGS[effect.finding]
        ends = f"{shown(metric, effect.a.value)} → {shown(metric, effect.b.value)}"
        tolerated = words.tolerated(effect)
        role = f"tolerated {tolerated}" if tolerated else effect.role
        table.add_row(
            Text.assemble(line(words.label(metric), 40), "\n", (role, "dim")),
            Text.assemble(change(metric, effect.difference.value), "\n", (ends, "dim")),
            Text.assemble((bar(effect), style), "\n", (interval(metric, effect.difference), "dim")),
            Text.assemble((words.finding(effect), style), "\n", (f"p {probability(words.p_value(effect))}", "dim")),
        )
    return table


def bar(effect: Effect) -> str:
    """The interval in `BAR` columns, zero in the middle, right what is good for B; `<` and `>` where it has no bound."""
    difference, good = effect.difference, 1 if effect.metric.better == "higher" else -1
    ends = sorted((good * difference.low, good * difference.high))
    reach = max((abs(end) for end in (*ends, effect.margin or 0.0) if math.isfinite(end)), default=0.0) or 1.0
    middle = BAR // 2

    def place(value: float) -> int:
        return middle + round(middle * max(-1.0, min(1.0, value / reach)))

    cells = ["│" if column == middle else " " for column in range(BAR)]
    for column in range(place(ends[0]), place(ends[1]) + 1):
        cells[column] = "┼" if column == middle else "─"
    if math.isinf(ends[0]):
        cells[0] = "<"
    if math.isinf(ends[1]):
        cells[-1] = ">"
    if math.isfinite(difference.value):
        cells[place(good * difference.value)] = "●"
    return "".join(cells)


def _sentence(mark: str, style: str, text: str) -> Table:
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_row(Text(mark, style), Text(line(text, 400)))
    return row
