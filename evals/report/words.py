"""A comparison, or a run by itself, in words that every report shares: the verdict, what decided it, what it rests on.

Knows sentences. Knows no markup; names and reasons come out as they came in.
"""

from collections.abc import Sequence
from typing import NamedTuple

from evals.comparison import Agreement, Comparison, EarlyStop, Effect, Finding, Flip, Role, Verdict
from evals.measurement import Mean, Measurement
from evals.report.text import line
from rag.trace import dollars

NOTABLE = 0.05
"""The q value up to which a tag is worth a look."""
NAME = 120
"""Characters of a name that are shown."""
_HEADLINES = {
    Verdict.BETTER: ("{b} is ", "better", " than {a}"),
    Verdict.WORSE: ("{b} is ", "worse", " than {a}"),
    Verdict.EQUIVALENT: ("{b} is ", "equivalent", " to {a}"),
    Verdict.UNKNOWN: ("It is ", "not known yet", " whether {b} is better than {a}"),
    Verdict.UNTRUSTWORTHY: ("This comparison of {b} with {a} is ", "not trustworthy", ""),
}
_FINDINGS = {
    Verdict.BETTER: (Finding.BETTER,),
    Verdict.WORSE: (Finding.WORSE,),
    Verdict.EQUIVALENT: (Finding.EQUIVALENT,),
    Verdict.UNKNOWN: (Finding.UNKNOWN,),
    Verdict.UNTRUSTWORTHY: (),
}
"""Those that carry a verdict."""


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


def deciding(comparison: Comparison) -> list[Effect]:
    """The declared effects that carry the verdict, or else the primaries; none where it is not trustworthy."""
    if comparison.verdict is Verdict.UNTRUSTWORTHY:
        return []
    effects = declared(comparison)
    carrying = [effect for effect in effects if effect.finding in _FINDINGS[comparison.verdict]]
    return carrying or [effect for effect in effects if effect.role is Role.PRIMARY]


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


def counted(count: int, noun: str) -> str:
    """`1 case`, `2,000 cases`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


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
    judge = [("Judge", f"{told.judge}, {dollars(told.judge_nanodollars)}")] if told.judge else []
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
        ("Spent", dollars(told.spent_nanodollars)),
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
    paid = "" if early.saved_nanodollars is None else f" ({dollars(early.saved_nanodollars)})"
    return f"{early.planned:,} were planned, {counted(early.saved_calls, 'call')} saved{paid}"


def _both(a: str, b: str) -> str:
    return a if a == b else f"{a} against {b}"
