"""What a comparison can find and what it takes, as a table in the terminal.

Knows rich. Knows nothing of how any of it is computed.
"""

from rich.table import Table
from rich.text import Text

from evals.format import change, shown
from evals.stats.power import MetricPlan, Plan
from rag.trace import dollars


def plan_table(plan: Plan) -> Table:
    """One row a primary metric; calls, dollars and time are said below."""
    table = Table(box=None, pad_edge=False, header_style="dim", caption_justify="left", caption_style="")
    table.caption = Text(_bill(plan))
    table.add_column("metric")
    table.add_column("detectable", justify="right")
    table.add_column("wanted", justify="right")
    table.add_column("power", justify="right")
    table.add_column(f"cases for {plan.power:.0%}", justify="right")
    table.add_column("spread", style="dim", overflow="fold")
    for metric in plan.metrics:
        table.add_row(*map(Text, _row(metric)))
    return table


def _row(plan: MetricPlan) -> tuple[str, ...]:
    metric, wanted = plan.metric, change(plan.metric, plan.effect).lstrip("+")
    if plan.power == 0:
        return metric.label, "none", wanted, "0%", "", ""
    if plan.assumption is None or plan.power is None:
        return metric.label, "", wanted, "unknown", "", "nothing can be assumed: a pilot would tell"
    detectable = "none" if plan.detectable is None else change(metric, plan.detectable).lstrip("+")
    needed = "" if plan.needed is None else f"{plan.needed:,}"
    return metric.label, detectable, wanted, f"{plan.power:.0%}", needed, _spread(plan)


def _spread(plan: MetricPlan) -> str:
    found = plan.assumption
    if found is None or found.source.startswith("assumed"):
        return found.source if found else ""
    if found.discordance is not None:
        return f"{found.discordance:.0%} of pairs differ, {found.source}"
    clusters = f", clusters cost {found.design_effect:.1f} times the cases" if found.design_effect > 1 else ""
    return f"sd {shown(plan.metric, found.sd)}{clusters}, {found.source}"


def _bill(plan: Plan) -> str:
    repeats = f" x {plan.repeats} repeats" if plan.repeats > 1 else ""
    cost = (
        "at an unknown price" if plan.nanodollars is None else _between(*(dollars(_rough(bound)) for bound in plan.nanodollars))
    )
    time = "an unknown time" if plan.seconds is None else _between(*(_duration(bound) for bound in plan.seconds))
    time += "" if plan.timed else " (assumed: none was timed yet)"
    bill = f"{plan.calls:,} calls ({plan.cases:,} cases{repeats} x 2 variants): {cost}, {time}"
    if plan.units >= plan.fewest:
        return bill
    what = "cases" if plan.units == plan.cases else "clusters, however many cases they have,"
    return f"{bill}\n{plan.units} {what} can show no difference: it takes {plan.fewest}"


def _between(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _rough(nanodollars: int) -> int:
    """Two digits are all that is known of it."""
    return round(nanodollars, 2 - len(str(nanodollars)))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
