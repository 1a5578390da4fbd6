"""A calibration, its reliability, how it carries over and whether it still fits, in the terminal.

Knows rich. Knows nothing of how any of it is computed.
"""

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from evals.grounding.calibrate import Calibrated
from evals.grounding.conformal import Zones
from evals.grounding.drift import Drift, Finding
from evals.grounding.reliability import Reliability
from evals.grounding.transfer import LABELS, Transfer
from evals.grounding.worth import REGRET
from evals.report.text import line
from rag.validators.calibration import Calibration

PLOT = 41
"""Columns of the reliability plot: from probability 0 to 1."""


def calibration_table(calibrated: Calibrated) -> Group:
    """What was fitted, how well it does on labels it has not seen, and what more labels would bring."""
    calibration, accuracy = calibrated.calibration, calibrated.balanced_accuracy
    fitted = calibration.fitted
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("on labels not fitted to", "value", "95 % interval"):
        table.add_column(heading, justify="left" if heading[0] == "o" else "right", no_wrap=True)
    error = fitted.intervals["expected calibration error"]
    table.add_row("balanced accuracy", f"{accuracy.value:.3f}", f"{accuracy.low:.3f} to {accuracy.high:.3f}")
    table.add_row("  of the best threshold", f"{calibrated.best:.3f}", "")
    table.add_row("expected calibration error", f"{calibrated.reliability.ece:.3f}", f"{error[0]:.3f} to {error[1]:.3f}")
    for name, (low, high) in fitted.intervals.items():
        if ": " in name:
            table.add_row(f"score, {name}", "", f"{low:.3f} to {high:.3f}")
    rates = "the share of supported responses here" if fitted.weights == "as labelled" else "as many supported as hallucinated"
    counted = f"{fitted.labels:,} responses of {line(', '.join(fitted.sources), 200)}, {fitted.supported:,} of them supported"
    silent = f"; {calibrated.silent:,} more state nothing to check" if calibrated.silent else ""
    return Group(
        Text.assemble((line(calibration.name, 60), "bold"), (f"  {calibration.identity}", "dim")),
        Text(counted + silent, "dim"),
        Text(
            f"unsupported below {calibration.unsupported:.2f}, supported from {calibration.supported:.2f}; "
            f"hallucinated below {calibration.threshold:.2f}, where a probability assumes {rates}"
        ),
        "",
        table,
        "",
        reliability_plot(calibrated.reliability),
        "",
        Text(worth_sentence(calibrated)),
    )


def reliability_plot(reliability: Reliability) -> Table:
    """A line a bin: what was said (`○`) and what was (`●`), from 0 to 1."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("said", "was"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column(f"0{' ○ said  ● was ':^{PLOT - 2}}1", width=PLOT, no_wrap=True)
    table.add_column("responses", justify="right", no_wrap=True)
    for part in reliability.bins:
        cells = [" "] * PLOT
        said, was = (round(value * (PLOT - 1)) for value in (part.probability, part.supported))
        cells[min(said, was) : max(said, was) + 1] = "─" * (abs(said - was) + 1)
        cells[said], cells[was] = "○", "●"
        table.add_row(f"{part.probability:.2f}", f"{part.supported:.2f}", "".join(cells), f"{part.count:,}")
    return table


def worth_sentence(calibrated: Calibrated) -> str:
    """How many labels are still worth having."""
    worth = calibrated.worth
    known = f"Balanced accuracy is known to ±{worth.half_width:.3f}; {worth.to_halve:,} more labels would halve that. "
    if not worth.to_settle:
        return known + f"The threshold is settled: more labels would gain less than {REGRET} of balanced accuracy."
    return known + (
        f"The threshold loses {worth.regret:.3f} of it for having been fitted to so few; {worth.to_settle:,} more labels would bring that "
        f"below {REGRET}."
    )


def zones_table(zones: Zones) -> Group:
    """What a corpus without labels says of the zones."""
    calibration = zones.calibration
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("one-fact errors in its sentences", "asked", "called supported"):
        table.add_column(heading, justify="left" if heading[0] == "o" else "right", no_wrap=True)
    for kind, (count, share) in zones.flips.items():
        table.add_row(kind.value, f"{count:,}", f"{share:.0%}")
    return Group(
        Text.assemble((line(calibration.name, 60), "bold"), (f"  {calibration.identity}", "dim")),
        Text(
            f"unsupported below {calibration.unsupported:.2f}, supported from {calibration.supported:.2f} "
            f"(before: {zones.rejected:.1%} of {zones.supported:,} own sentences unsupported, "
            f"{zones.accepted:.1%} of {zones.unsupported:,} sentences of other documents supported)"
        ),
        Text(
            f"Guaranteed: a sentence of this corpus beside its own text is called unsupported at most {zones.alpha:.0%} of the time, one of "
            f"another document supported at most {zones.alpha:.0%}. Not guaranteed: anything of answers, which word things differently, "
            "nor that the probabilities fit here: that takes labels."
        ),
        "",
        table,
    )


def transfer_table(rows: Sequence[Transfer]) -> Table:
    """A row a set: its best threshold, how much of that is chance, what the shipped one and one from labels of the set lose beside it, and
    the calibration error that is left.
    """
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("set", no_wrap=True)
    for heading in ("answers", "supported", "best", "by chance", "lost", f"after {LABELS}", f"error after {LABELS}", "error"):
        table.add_column(heading, justify="right", no_wrap=" " not in heading, max_width=11)
    for row in rows:
        values = (row.best, row.chance, row.lost, row.lost_after, row.error_after, row.error)
        cells = ("-" if value is None else f"{value:.3f}" for value in values)
        table.add_row(line(row.set, 40), f"{row.responses:,}", f"{row.supported:.0%}", *cells)
    return table


def drift_sentence(found: Drift) -> str:
    """The finding and what it rests on."""
    counted = f"{found.finding}: {found.responses:,} recent answers beside {found.reference:,}"
    if found.finding is Finding.TOO_FEW:
        return counted
    return f"{counted}, stability index {found.stability_index:.2f}, p {found.p:.2g} at any time"


def stranger_sentence(calibration: Calibration, validator: str) -> str:
    """Why a drift may be none of the answers': the calibration was fitted on the scores of another validator."""
    fitted = calibration.fitted.validator
    return f"calibration {calibration.name} was fitted on {fitted}, and the validator here is {validator}: that may be all the difference"
