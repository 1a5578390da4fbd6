"""Rollouts as tables for a terminal.

Knows columns and colours. Knows nothing of how a figure is made.
"""

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from api.rollouts.measures import METRICS
from api.rollouts.policy import Kind
from api.rollouts.prediction import Prediction
from api.rollouts.results import GuardrailResult, Results, SampleRatio, Side
from api.rollouts.state import Event, Rollout, Status
from evals import format
from evals.comparison import Estimate
from rag.figures import counted, elapsed, milliseconds, price

_STYLE = {Status.RUNNING: "cyan", Status.PROMOTED: "green", Status.ROLLED_BACK: "red", Status.STOPPED: "yellow"}
_GUARDRAIL = {"breached": "red", "held": "green", "no breach seen": "", "waiting": "dim", "not known": "yellow"}


def listing(rollouts: Iterable[Rollout]) -> Table:
    """Two lines per rollout, more if the reason of its state needs them."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("rollout\nkind", overflow="fold")
    table.add_column("control\ncandidate", overflow="fold")
    table.add_column("readers", justify="right", no_wrap=True)
    table.add_column("status\nsince", no_wrap=True)
    table.add_column("why", overflow="fold")
    for rollout in rollouts:
        policy, state = rollout.policy, rollout.state
        table.add_row(
            _two(rollout.name, policy.kind),
            Text(f"{policy.control}\n{policy.candidate}"),
            f"{rollout.share:g} %",
            _two((state.status, _STYLE[state.status]), state.since[:16].replace("T", " ")),
            Text(state.why),
        )
    return table


def page(found: Results) -> Group:
    """The results of a rollout: state, arms, guardrails, split of users, prediction and audit."""
    policy = found.rollout.policy
    parts: list[RenderableType] = [_head(found), *_section("Arms", _arms(found))]
    if found.guardrails:
        parts += _section("Guardrails: candidate minus control", _guardrails(found.guardrails), _methods(found.guardrails))
    if found.sample_ratio:
        parts += _section("Split of users", _split(found.sample_ratio))
    if policy.prediction:
        predicted = policy.prediction
        title = f"Predicted offline: {predicted.verdict}, {predicted.b} minus {predicted.a} on {predicted.asked} cases"
        parts += _section(title, _prediction(predicted, found.guardrails))
    return Group(*parts, *_section("Audit", _audit(found.events)))


def _section(title: str, *bodies: RenderableType) -> list[RenderableType]:
    return [Text(title, "bold"), *(Padding(body, (0, 0, 0, 2)) for body in bodies)]


def _two(above: str | tuple[str, str], below: str) -> Text:
    """A cell of two lines."""
    return Text.assemble(above, "\n", (below, "dim"))


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
        line.append(f" · stage {state.stage + 1} of {len(policy.stages)}: {_due(found)}")
    for text in (policy.description, policy.hypothesis, state.why):
        line.append(f"\n{text}" if text else "")
    return line


def _due(found: Results) -> str:
    """What the next stage waits for."""
    policy = found.rollout.policy
    return f"{found.answered:,} of {counted(policy.minimum, 'request')}, {elapsed(found.held_seconds, policy.hold)}"


def _arms(found: Results) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    sides = (found.control, found.candidate)
    for name, side in zip(("control", "candidate"), sides, strict=True):
        table.add_column(Text(f"{name}\n{side.variant}"), justify="right", overflow="fold")
    for name, *figures in zip(_FIGURES, *map(_figures, sides), strict=True):
        if any(figures):
            table.add_row(name, *(figure or "-" for figure in figures))
    return table


_FIGURES = (
    *("requests", "users", "error rate", "hallucination rate", "latency, p50", "latency, p95"),
    *(METRICS["cost"].label, "spent", "thumbs", "business outcomes"),
)


def _figures(side: Side) -> tuple[str | Text, ...]:
    return (
        f"{side.requests:,}",
        f"{side.units:,}",
        _rate("error", side.error),
        _rate("hallucination", side.hallucination),
        milliseconds(side.latency_p50_ms),
        milliseconds(side.latency_p95_ms),
        "not known" if side.cost is None else format.shown(METRICS["cost"], side.cost),
        price(side.spent_nanodollars) + (f" and {side.unpriced} unknown" if side.unpriced else ""),
        f"{side.up} up, {side.down} down",
        Text(", ".join(f"{n} {outcome}" for outcome, n in side.business_outcomes.items())),
    )


def _guardrails(guardrails: Iterable[GuardrailResult]) -> Table:
    table = Table("guardrail\nstate", "difference\ninterval", box=None, pad_edge=False, header_style="dim")
    for name in ("allowed", "p\nlimit", "compared\nmissing"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in guardrails:
        table.add_row(
            Text.assemble(one.metric.label, "\n", (one.state, _GUARDRAIL[one.state])),
            _difference(one.metric.name, one.difference),
            one.allowed,
            _two(format.probability(one.p) if one.comparisons else "-", format.level(one.threshold)),
            _two(f"{one.comparisons:,}", f"{one.missing:,}"),
        )
    return table


def _methods(guardrails: Iterable[GuardrailResult]) -> Text:
    """How the intervals were computed, or what they wait for; guardrails that share it share a line."""
    methods: dict[str, list[str]] = {}
    for one in guardrails:
        if method := one.difference.method if one.difference else one.awaited and f"waits for {one.awaited}":
            methods.setdefault(method, []).append(one.metric.label)
    return Text("\n".join(f"{', '.join(labels)}: {method}" for method, labels in methods.items()), "dim")


def _split(ratio: SampleRatio) -> Text:
    line = Text(
        f"{ratio.candidate} of {ratio.candidate + ratio.control} users had the candidate, {100 * ratio.expected:g} % expected"
    )
    line.append(f" (exact binomial test, p {format.probability(ratio.p)})")
    if ratio.flagged:
        line.append("\nnot as it should be: something loses the users of one arm, and the arms cannot be compared", "red")
    return line


def _prediction(prediction: Prediction, guardrails: Iterable[GuardrailResult]) -> Table:
    online = {one.metric.name: one.difference for one in guardrails}
    table = Table("metric\nfound", "predicted\ninterval", "online\ninterval", box=None, pad_edge=False, header_style="dim")
    for name, effect in prediction.effects.items():
        measured = _difference(name, online.get(name))
        table.add_row(_two(METRICS[name].label, effect.finding), _difference(name, effect.difference), measured)
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


def _difference(name: str, found: Estimate | None) -> Text:
    return _two(format.change(METRICS[name], found.value), format.interval(METRICS[name], found)) if found else Text("-")


def _time(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`, `2.0 days`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5_400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"
