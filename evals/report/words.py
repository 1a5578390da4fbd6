"""A comparison, or a run by itself, in words that every report shares: the verdict, what decided it, what it rests on.

Knows sentences. Knows no markup; names and reasons come out as they came in.
"""

from collections.abc import Sequence
from typing import NamedTuple

from evals.comparison import Agreement, Comparison, EarlyStop, Effect, Finding, Flip, Role, Verdict
from evals.format import bounds, change, shown
from evals.measurement import Mean, Measurement
from evals.report.text import line
from evals.scorers.base import Metric
from evals.scorers.overlap import Overlap
from rag.figures import counted, price

NOTABLE = 0.05
"""The q value up to which a tag is worth a look."""
FALLEN = 3
"""Metrics that decide nothing and are worse, which are named at most."""
NAME = 120
"""Characters of a name that are shown."""
_HEADLINES = {
    Verdict.BETTER: ("{b} is ", "better", " than {a}"),
    Verdict.WORSE: ("{b} is ", "worse", " than {a}"),
    Verdict.EQUIVALENT: ("{b} is ", "equivalent", " to {a}"),
    Verdict.UNKNOWN: ("It is ", "not known yet", " whether {b} is better than {a}"),
    Verdict.UNTRUSTWORTHY: ("This comparison of {b} with {a} is ", "not trustworthy", ""),
}
_WATCHED = ("hallucination", "cost", "latency")


class Headline(NamedTuple):
    """The verdict as one sentence without its full stop, in three parts: the middle one is the verdict's word."""

    before: str
    word: str
    after: str

    def __str__(self) -> str:
        return "".join(self)


def headline(told: Comparison | Measurement) -> Headline:
    """What is known of B against A, by their names, or what was measured."""
    if isinstance(told, Measurement):
        name, cases = line(told.run.name, NAME), counted(told.asked, "case")
        if told.trustworthy:
            return Headline(f"{name}, ", "measured", f" on {cases}")
        return Headline(f"This measurement of {name} is ", "not trustworthy", "")
    names = {"a": line(told.a.name, NAME), "b": line(told.b.name, NAME)}
    return Headline(*(part.format(**names) for part in _HEADLINES[told.verdict]))


def lead(comparison: Comparison) -> str:
    """What decided it, and how many questions flipped, in sentences; empty where there is neither."""
    flips = comparison.verdict is not Verdict.UNTRUSTWORTHY and (comparison.lost or comparison.gained)
    sentences = [*comparison.reasons[:1], *([flipped(comparison)] if flips else [])]
    return " ".join(f"{sentence.removesuffix('.')}." for sentence in sentences)


def sides(comparison: Comparison) -> str:
    """Which letter stands for which: `A is answer@1, B is answer@2`."""
    return f"A is {line(comparison.a.name, NAME)}, B is {line(comparison.b.name, NAME)}"


def flipped(comparison: Comparison) -> str:
    """`44 questions gained, 2 lost`."""
    return f"{counted(comparison.gained, 'question')} gained, {comparison.lost:,} lost"


def flips_by(comparison: Comparison) -> str:
    """What makes a flip: `gained: token F1 rose past 0.5; lost: it fell below`."""
    named = {effect.metric.name: effect.metric.label for effect in comparison.effects}
    labels = dict.fromkeys(named.get(flip.metric, flip.metric) for flip in comparison.flips if flip.crossed)
    return (
        f"gained: {' or '.join(line(label, 60) for label in labels)} came to 0.5 or more; lost: it fell below" if labels else ""
    )


def expected(flip: Flip) -> str:
    """The first reference of its case, or that it is to be refused; empty where nothing is known."""
    refusal = "" if flip.case.answerable else "a refusal: the documents do not tell"
    return next(iter(flip.case.references), refusal)


def fallen(comparison: Comparison) -> list[str]:
    """Sentences on the metrics that decide nothing and are worse, the surest first.

    Where words of the answer decide, what else is counted of its words says the same once more; so do tokens where cost decides.
    """
    deciding = {effect.metric for effect in declared(comparison)}
    same = {*Overlap.metrics} if deciding & {*Overlap.metrics} else set()
    priced = any(metric.unit == "dollars" for metric in deciding)
    worse = [
        effect
        for effect in comparison.effects
        if effect.q is not None and effect.q <= NOTABLE and effect.finding is Finding.WORSE
        if effect.metric not in same and not (priced and effect.metric.unit == "tokens")
    ]
    worse.sort(key=lambda effect: (effect.q, effect.p))
    told = [_fallen(effect) for effect in worse[:FALLEN]]
    return told + ([f"{counted(len(worse) - FALLEN, 'more metric')} that decide nothing are worse"] if worse[FALLEN:] else [])


def _fallen(effect: Effect) -> str:
    metric, margin = effect.metric, "0.05" if effect.metric.bounded else "10%"
    fell = f"{shown(metric, effect.a.value)} → {shown(metric, effect.b.value)} ({bounds(metric, effect.difference)})"
    moved = "fell" if metric.better == "higher" else "rose"
    return f"{metric.label} {moved}, {fell}, and decides nothing: --guardrail {metric.name}={margin} makes it count"


def label(metric: Metric) -> str:
    """Its name, with an arrow where lower is better."""
    return line(metric.label, 60) + (" ↓" if metric.better == "lower" else "")


def finding(effect: Effect) -> str:
    """`held`, and which way it went where that is sure; or another finding."""
    difference = effect.difference
    if effect.finding is not Finding.HELD or difference.low <= 0 <= difference.high:
        return effect.finding
    return f"{effect.finding}, {'higher' if difference.low > 0 else 'lower'}"


def tolerated(effect: Effect) -> str:
    """How much worse a guardrail may be; empty for other metrics."""
    if effect.role is not Role.GUARDRAIL or effect.margin is None:
        return ""
    return change(effect.metric, effect.margin if effect.metric.better == "lower" else -effect.margin)


def declared(comparison: Comparison) -> list[Effect]:
    """The effects that were declared to decide: primaries, then guardrails."""
    return [effect for role in (Role.PRIMARY, Role.GUARDRAIL) for effect in comparison.effects if effect.role is role]


def unmeasured(comparison: Comparison) -> list[tuple[str, Role]]:
    """The names of the metrics that were declared to decide, and have no effect that does."""
    design, measured = comparison.design, {effect.metric.name for effect in declared(comparison)}
    named = dict.fromkeys(design.primary, Role.PRIMARY)
    for guardrail in design.guardrails:
        named.setdefault(guardrail.metric, Role.GUARDRAIL)
    return [(metric, role) for metric, role in named.items() if metric not in measured]


def cards(measurement: Measurement) -> list[Mean]:
    """The means that are told first: the primary metrics, then what a guardrail would watch."""
    names = [*measurement.primary, *(name for name in _WATCHED if name not in measurement.primary)]
    known = {mean.metric.name: mean for mean in measurement.means if mean.estimate}
    return [known[name] for name in names if name in known]


def p_value(effect: Effect) -> float:
    """Corrected by Holm where the effect is one of several that may decide."""
    return effect.p if effect.p_adjusted is None else effect.p_adjusted


def way(flip: Flip) -> str:
    """`gained` or `lost` where its answer became good or bad; what only moved far got `better` or `worse`."""
    if flip.crossed:
        return "gained" if flip.gained else "lost"
    return "better" if flip.gained else "worse"


def percent(share: float) -> str:
    """A level for people: `95 %`."""
    return f"{100 * share:.3g} %"


def times(count: int) -> str:
    """`once`, `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 12 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def moment(created_at: str) -> str:
    """An ISO 8601 time in UTC, to the minute."""
    return f"{created_at[:16].replace('T', ' ')} UTC"


def agreed(agreement: Agreement) -> str:
    """How far the judge says what people said: `agrees with people on 83 % of 30 answers, kappa .61`."""
    answers = counted(agreement.labels, "answer")
    return f"agrees with people on {percent(round(agreement.share, 3))} of {answers}, kappa {agreement.kappa:.2f}"


def models(told: Comparison | Measurement) -> str:
    """Who answered; both where they differ."""
    if isinstance(told, Measurement):
        return told.run.variant.llm.model
    return _both(told.a.variant.llm.model, told.b.variant.llm.model)


def basis(told: Comparison | Measurement) -> Sequence[tuple[str, str]]:
    """What the numbers rest on, as terms and values."""
    judge = [("Judge", f"{told.judge}, {price(told.judge_nanodollars)}")] if told.judge else []
    judge += [("Judge and people", agreed(told.agreement))] if told.agreement else []
    early = told.early if isinstance(told, Comparison) else None
    stopped = [("Stopped early", _stopped(early))] if early and early.stopped else []
    at_once = [("At once", f"{counted(told.at_once, 'call')} at most")] if told.at_once else []
    return (
        ("Cases", _asked(told)),
        *stopped,
        ("Case file", told.cases),
        ("Collection", told.collection),
        ("Model", models(told)),
        *judge,
        ("Spent", price(told.spent_nanodollars)),
        ("Took", duration(told.seconds)),
        *at_once,
        ("When", moment(told.created_at)),
    )


def foundation(told: Comparison | Measurement) -> str:
    """The same on one line."""
    said = dict(basis(told))
    judge = f"judge {said['Judge']} · " if "Judge" in said else ""
    judge += f"{said['Judge and people']} · " if "Judge and people" in said else ""
    stopped = f", stopped early: {said['Stopped early']}" if "Stopped early" in said else ""
    at_once = f", {said['At once']} at once" if "At once" in said else ""
    return (
        f"{said['Cases']}{stopped}, from {said['Case file']} · collection {said['Collection']} · {said['Model']} · {judge}"
        f"spent {said['Spent']} in {said['Took']}{at_once} · {said['When']}"
    )


def _asked(told: Comparison | Measurement) -> str:
    asked = f"each asked {times(told.repeats)}"
    if isinstance(told, Measurement):
        return f"{told.asked:,} of {counted(told.planned, 'case')}, {asked}"
    clusters = f", clustered by {told.design.cluster_by}" if told.design.cluster_by else ""
    return f"{counted(told.asked, 'case')}, {asked} on both sides{clusters}"


def _stopped(early: EarlyStop) -> str:
    paid = "" if early.saved_nanodollars is None else f" ({price(early.saved_nanodollars)})"
    return f"{early.planned:,} were planned, {counted(early.saved_calls, 'call')} saved{paid}"


def _both(a: str, b: str) -> str:
    return a if a == b else f"{a} against {b}"
