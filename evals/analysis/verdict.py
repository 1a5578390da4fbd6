"""What the findings amount to, told in sentences.

Knows findings and their numbers. Knows nothing of how they were computed or where the sentences are shown.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from evals.comparison import Design, Effect, Finding, Role, Verdict
from evals.format import change, interval, probability, shown

_WORTH_NAMING = 1_000_000


def judge(
    effects: Sequence[Effect], design: Design, distrust: Sequence[str] = (), asked: int | None = None
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict with its reasons, those that decided it first. `asked`: cases, where some metrics apply to fewer.

    Not trustworthy where anything is to distrust. Worse where a primary metric or a guardrail is. Better where a primary
    metric is, and every guardrail of the design is held; equivalent where all primary metrics of the design are, and every
    guardrail is held. Otherwise not known yet.
    """
    if distrust:
        return Verdict.UNTRUSTWORTHY, tuple(distrust)
    found = {effect.metric.name: effect.finding for effect in effects if effect.role is not Role.OTHER}
    unmeasured = [guardrail.metric for guardrail in design.guardrails if guardrail.metric not in found]
    held = not unmeasured and all(found[guardrail.metric] is Finding.HELD for guardrail in design.guardrails)
    primary = [found.get(name, Finding.UNKNOWN) for name in design.primary]
    if Finding.WORSE in found.values():
        verdict = Verdict.WORSE
    elif Finding.BETTER in primary and held:
        verdict = Verdict.BETTER
    elif all(finding is Finding.EQUIVALENT for finding in primary) and held:
        verdict = Verdict.EQUIVALENT
    else:
        verdict = Verdict.UNKNOWN
    deciding = [effect for effect in effects if effect.role is not Role.OTHER]
    deciding.sort(key=lambda effect: (effect.finding.value != verdict.value, effect.role is not Role.PRIMARY))
    gaps = [f"{name} is a guardrail, and fewer than two independent cases have it on both sides" for name in unmeasured]
    primaries = sum(effect.role is Role.PRIMARY for effect in effects)
    return verdict, (*gaps, *(_sentence(effect, primaries, asked or effect.pairs) for effect in deciding))


def _sentence(effect: Effect, primaries: int, asked: int) -> str:
    metric, difference = effect.metric, effect.difference
    told = f"{metric.label} {shown(metric, effect.a.value)} -> {shown(metric, effect.b.value)}, "
    told += f"{change(metric, difference.value)} {interval(metric, difference)}"
    if effect.p_adjusted is not None:
        told += f", p {probability(effect.p_adjusted)}" + (" after Holm" if primaries > 1 else "")
    return f"{told}: {_conclusion(effect, primaries, asked)}"


def _conclusion(effect: Effect, primaries: int, asked: int) -> str:
    metric, margin = effect.metric, effect.margin or 0.0
    tolerated = change(metric, margin if metric.better == "lower" else -margin)
    match effect.finding:
        case Finding.HELD:
            return f"not worse than the {tolerated} that are tolerated"
        case Finding.WORSE if effect.role is Role.GUARDRAIL:
            return f"worse than the {tolerated} that are tolerated"
        case Finding.BETTER | Finding.WORSE:
            small = abs(effect.difference.value) < margin
            return effect.finding.value + (f", by less than the margin of {shown(metric, margin)}" if small else "")
        case Finding.EQUIVALENT:
            return f"equivalent, within {shown(metric, margin)} either way"
        case Finding.UNKNOWN:
            return f"not known yet, {_open(effect, primaries, asked, tolerated)}"


def _open(effect: Effect, primaries: int, asked: int, tolerated: str) -> str:
    """Why it is not known, and what would settle it."""
    missing, growth = _missing(effect), _growth(effect, primaries)
    if missing and growth <= 1:
        return missing
    needed = min(asked * growth, _WORTH_NAMING)
    needed = max(round(float(f"{needed:.1e}")), asked + 1)
    settled = f"about {needed:,} cases would settle it" if needed < _WORTH_NAMING else "no number of cases would settle it soon"
    unsure = ", a share of what A has, which is uncertain too" if effect.excess else ""
    limit = f"it may be worse than the {tolerated} that are tolerated{unsure}: " if effect.role is Role.GUARDRAIL else ""
    return f"{limit}{settled} if the difference stays what it is" + (f", and {missing}" if missing else "")


def _missing(effect: Effect) -> str:
    """What missing values keep from being known; nothing where none is missing."""
    missing = effect.missing_a + effect.missing_b
    if effect.worst_case is not None:
        low, high = (change(effect.metric, bound) for bound in effect.worst_case)
        values = "1 missing value leaves" if missing == 1 else f"{missing:,} missing values leave"
        return f"{values} open anything from {low} to {high}"
    if missing and effect.role is Role.GUARDRAIL:
        return "1 value is missing" if missing == 1 else f"{missing:,} values are missing"
    return ""


def _growth(effect: Effect, primaries: int) -> float:
    """Times as many cases until the interval, which shrinks with their square root, leaves out what it has to; two digits are enough."""
    estimate, margin = effect.difference, effect.margin or 0.0
    half = (estimate.high - estimate.low) / 2
    if effect.excess is not None:
        over = effect.excess
        ends = (over.high - over.value, over.value - over.low)
        return _ratio(ends[over.value > 0], abs(over.value)) ** 2
    if effect.role is Role.GUARDRAIL:
        loss = estimate.value if effect.metric.better == "lower" else -estimate.value
        return _ratio(half, abs(margin - loss)) ** 2
    tail = (1 - estimate.level) / 2
    unit = NormalDist().inv_cdf(1 - tail)
    different = half * NormalDist().inv_cdf(1 - tail / primaries) / unit
    alike = half * NormalDist().inv_cdf(1 - 2 * tail) / unit
    return min(_ratio(different, abs(estimate.value)), _ratio(alike, margin - abs(estimate.value))) ** 2


def _ratio(half: float, wanted: float) -> float:
    return half / wanted if wanted > 0 else math.inf
