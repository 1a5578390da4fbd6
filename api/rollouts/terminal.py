"""Rollouts as tables for a terminal.

Knows columns and colours. Knows nothing of how a figure is made.
"""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from api.rollouts.guardrails import METRICS
from api.rollouts.policy import Kind, Policy
from api.rollouts.prediction import Prediction
from api.rollouts.results import Guarded, Results, SampleRatio, Side
from api.rollouts.state import Event, Rollout, Status
from evals import format
from evals.comparison import Estimate
from rag.trace import dollars

_STYLE = {Status.RUNNING: "cyan", Status.PROMOTED: "green", Status.ROLLED_BACK: "red", Status.STOPPED: "yellow"}
_GUARDRAIL = {"breached": "red", "not breached": "green", "waiting": "dim", "not known": "yellow"}


def listing(rollouts: Iterable[Rollout]) -> Table:
    """One row a rollout."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("rollout", "kind", "control", "candidate", "readers", "status", "since", "why"):
        table.add_column(name, no_wrap=name != "why", justify="right" if name == "readers" else "left")
    for rollout in rollouts:
        policy, state = rollout.policy, rollout.state
        status = Text(state.status, _STYLE[state.status])
        since = state.since[:16].replace("T", " ")
        table.add_row(
            rollout.name, policy.kind, policy.control, policy.candidate, f"{rollout.share:g} %", status, since, Text(state.why)
        )
    return table


def page(found: Results) -> Group:
    """Where a rollout stands: state, arms, guardrails, the split, the prediction and the audit."""
    policy = found.rollout.policy
    parts: list[RenderableType] = [_head(found), *_section("Arms", _arms(found))]
    if found.guardrails:
        parts += _section("Guardrails: candidate minus control", _guardrails(found.guardrails))
    if found.sample_ratio:
        parts += _section("Split of users", _split(found.sample_ratio))
    if policy.prediction:
        parts += _section(f"Predicted offline: {policy.prediction.verdict}", _predicted(policy.prediction, found.guardrails))
    return Group(*parts, *_section("Audit", _audit(found.events)))


def _section(title: str, body: RenderableType) -> list[RenderableType]:
    return [Text(title, "bold"), Padding(body, (0, 0, 0, 2))]


def _head(found: Results) -> Text:
    policy, state = found.rollout.policy, found.rollout.state
    line = Text.assemble(
        (found.rollout.name, "bold"),
        f" · {policy.kind} · ",
        (state.status, _STYLE[state.status]),
        f" for {_time(found.held_seconds)}",
    )
    line.append(f" · {found.share:g} % of readers get {policy.candidate}")
    if policy.kind is Kind.CANARY and not state.ended:
        line.append(f" · stage {state.stage + 1} of {len(policy.stages)}, {_due(policy)}")
    for said in (policy.description, policy.hypothesis, state.why):
        line.append(f"\n{said}" if said else "")
    return line


def _due(policy: Policy) -> str:
    return f"at least {_time(policy.hold)} and {policy.minimum} requests"


def _arms(found: Results) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in (
        "",
        "variant",
        "requests",
        "users",
        "errors",
        "hallucination",
        "p50",
        "p95",
        "cost a request",
        "spent",
        "thumbs",
    ):
        table.add_column(name, justify="left" if name in ("", "variant") else "right")
    for name, side in (("control", found.control), ("candidate", found.candidate)):
        table.add_row(name, side.variant, str(side.requests), str(side.units), *_figures(side))
    return table


def _figures(side: Side) -> list[str]:
    cost = "not known" if side.cost is None else format.shown(METRICS["cost"], side.cost)
    return [
        _rate("error", side.error),
        _rate("hallucination", side.hallucination),
        _ms(side.latency_p50_ms),
        _ms(side.latency_p95_ms),
        cost,
        dollars(side.spent_nanodollars) + (f" and {side.unpriced} unknown" if side.unpriced else ""),
        f"{side.up} up, {side.down} down",
    ]


def _guardrails(guardrails: Iterable[Guarded]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("metric", "", "difference", "allowed", "comparisons", "p", "breached at", "method"):
        table.add_column(name, justify="right" if name in ("allowed", "comparisons", "p", "breached at") else "left")
    for one in guardrails:
        table.add_row(
            one.metric.label,
            Text(one.state, _GUARDRAIL[one.state]),
            "-" if one.difference is None else _difference(one.metric.name, one.difference),
            one.allowed,
            str(one.comparisons) + (f" ({one.missing} missing)" if one.missing else ""),
            format.probability(one.p),
            format.probability(one.threshold),
            Text("" if one.difference is None else one.difference.method, "dim"),
        )
    return table


def _split(ratio: SampleRatio) -> Text:
    line = Text(
        f"{ratio.candidate} of {ratio.candidate + ratio.control} users had the candidate, {100 * ratio.expected:g} % expected"
    )
    line.append(f" (exact binomial test, p {format.probability(ratio.p)})")
    if ratio.flagged:
        line.append("\nnot as it should be: something loses the users of one arm, and the arms cannot be compared", "red")
    return line


def _predicted(prediction: Prediction, guardrails: Iterable[Guarded]) -> Table:
    online = {one.metric.name: one.difference for one in guardrails}
    table = Table(
        "metric", f"{prediction.b} minus {prediction.a}, {prediction.asked} cases", "found", "online", box=None, pad_edge=False
    )
    table.header_style = "dim"
    for name, effect in prediction.effects.items():
        measured = online.get(name)
        shown = "-" if measured is None else _difference(name, measured)
        table.add_row(METRICS[name].label, _difference(name, effect.difference), effect.finding, shown)
    return table


def _audit(events: Iterable[Event]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for event in events:
        table.add_row(event.at[:19].replace("T", " "), event.actor, event.event, Text(event.detail))
    return table


def _rate(name: str, rate: Estimate | None) -> str:
    if rate is None:
        return "-"
    return f"{format.shown(METRICS[name], rate.value)} [{100 * rate.low:.1f}, {100 * rate.high:.1f}]"


def _difference(name: str, found: Estimate) -> str:
    return f"{format.change(METRICS[name], found.value)} {format.interval(METRICS[name], found)}"


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else format.shown(METRICS["latency"], milliseconds / 1e3)


def _time(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`, `2.0 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
