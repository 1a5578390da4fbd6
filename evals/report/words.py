"""A comparison in words that every report shares: the verdict, what decided it, what it rests on.

Knows sentences. Knows no markup; names and reasons come out as they came in.
"""

from collections.abc import Sequence
from typing import NamedTuple

from evals.comparison import Comparison, EarlyStop, Effect, Finding, Role, Verdict
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


class Headline(NamedTuple):
    """The verdict as one sentence without its full stop, in three parts: the middle one is the verdict's word."""

    before: str
    word: str
    after: str

    def __str__(self) -> str:
        return "".join(self)


def headline(comparison: Comparison) -> Headline:
    """What is known of B against A, by their names."""
    names = {"a": line(comparison.a.name, NAME), "b": line(comparison.b.name, NAME)}
    return Headline(*(part.format(**names) for part in _HEADLINES[comparison.verdict]))


def declared(comparison: Comparison) -> list[Effect]:
    """The effects that were declared to decide: primaries, then guardrails."""
    return [effect for role in (Role.PRIMARY, Role.GUARDRAIL) for effect in comparison.effects if effect.role is role]


def deciding(comparison: Comparison) -> list[Effect]:
    """The declared effects that carry the verdict, or else the primaries; none where it is not trustworthy."""
    if comparison.verdict is Verdict.UNTRUSTWORTHY:
        return []
    effects = declared(comparison)
    carrying = [effect for effect in effects if effect.finding in _FINDINGS[comparison.verdict]]
    return carrying or [effect for effect in effects if effect.role is Role.PRIMARY]


def p_value(effect: Effect) -> float:
    """Corrected by Holm where the effect is one of several that may decide."""
    return effect.p if effect.p_adjusted is None else effect.p_adjusted


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


def models(comparison: Comparison) -> str:
    """Who answered; both where they differ."""
    return _both(comparison.a.variant.llm.model, comparison.b.variant.llm.model)


def basis(comparison: Comparison) -> Sequence[tuple[str, str]]:
    """What the verdict rests on, as terms and values."""
    asked = f"{counted(comparison.asked, 'case')}, each asked {times(comparison.repeats)} on both sides"
    clusters = f", clustered by {comparison.design.cluster_by}" if comparison.design.cluster_by else ""
    judge = [("Judge", f"{comparison.judge}, {dollars(comparison.judge_nanodollars)}")] if comparison.judge else []
    return (
        ("Cases", asked + clusters),
        ("Case file", comparison.cases),
        ("Collection", comparison.collection),
        ("Model", models(comparison)),
        *judge,
        ("Spent", dollars(comparison.spent_nanodollars)),
        ("Took", duration(comparison.seconds)),
        ("When", moment(comparison.created_at)),
    )


def foundation(comparison: Comparison) -> str:
    """The same on one line."""
    told = dict(basis(comparison))
    judge = f"judge {told['Judge']} · " if "Judge" in told else ""
    return (
        f"{told['Cases']}{_stopped(comparison.early)}, from {told['Case file']} · collection {told['Collection']} · {told['Model']} · {judge}"
        f"spent {told['Spent']} in {told['Took']} · {told['When']}"
    )


def _stopped(early: EarlyStop | None) -> str:
    if early is None or not early.stopped:
        return ""
    paid = "" if early.saved_nanodollars is None else f" ({dollars(early.saved_nanodollars)})"
    return f", stopped early: {early.planned:,} were planned, {counted(early.saved_calls, 'call')} saved{paid}"


def _both(a: str, b: str) -> str:
    return a if a == b else f"{a} against {b}"
