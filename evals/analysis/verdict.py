"""What the findings amount to, told in sentences.

Knows findings and their numbers. Knows nothing of how they were computed or where the sentences are shown.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

from evals.comparison import Design, Effect, Finding, Role, Verdict
from evals.format import change, interval, probability, shown
from evals.stats.paired import fewest_units

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
    gaps = [f"{name} is a guardrail, and can be compared on fewer than two independent cases" for name in unmeasured]
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
    unknown, growth = _unknown(effect), _growth(effect, primaries)
    if unknown and growth <= 1:
        return unknown
    fewest = fewest_units(_alpha(effect, primaries)) if effect.role is Role.PRIMARY else 1
    if effect.units < min(fewest, effect.pairs):
        return f"{effect.units} clusters can show no difference, however many cases they have: it takes {fewest}"
    needed = min(asked * growth, _WORTH_NAMING)
    needed = max(round(float(f"{needed:.1e}")), asked + 1, fewest)
    settled = f"about {needed:,} cases would settle it" if needed < _WORTH_NAMING else "no number of cases would settle it soon"
    unsure = ", a share of what A has, which is uncertain too" if effect.excess else ""
    limit = f"it may be worse than the {tolerated} that are tolerated{unsure}: " if effect.role is Role.GUARDRAIL else ""
    open_still = f", and {unknown}" if unknown else ""
    return f"{limit}{_disagreement(effect)}{settled} if the difference stays what it is{open_still}"


def _unknown(effect: Effect) -> str:
    """What keeps it from being known, however many cases there are; nothing where all values are known."""
    missing = effect.missing_a + effect.missing_b
    if effect.worst_case is None:
        are = "1 value is missing" if missing == 1 else f"{missing:,} values are missing"
        return are if missing and effect.role is Role.GUARDRAIL else ""
    kinds = (
        (missing, "missing value", "missing values"),
        (effect.alone, "case to which it applies on one side only", "cases to which it applies on one side only"),
        (effect.torn, "case of which the judge said two things", "cases of which the judge said two things"),
    )
    told = " and ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in kinds if count)
    low, high = (change(effect.metric, bound) for bound in effect.worst_case)
    leaves = "leaves" if missing + effect.alone + effect.torn == 1 else "leave"
    return f"{told} {leaves} open anything from {low} to {high}"


def _disagreement(effect: Effect) -> str:
    """Where interval and test do not say the same, which they do not at times: both have to."""
    sure = effect.p_adjusted is not None and effect.p_adjusted <= 1 - effect.difference.level
    apart = not effect.difference.low <= 0 <= effect.difference.high
    if effect.role is not Role.PRIMARY or sure is apart:
        return ""
    if sure:
        return "the test finds a difference that few cases carry, and the interval still holds 0: "
    return "the interval leaves out 0, and the test, which is stricter, finds nothing yet: "


def _alpha(effect: Effect, primaries: int) -> float:
    """What Holm's correction asks of the first of several primary metrics."""
    return (1 - effect.difference.level) / primaries


def _growth(effect: Effect, primaries: int) -> float:
    """Times as many cases until what keeps it open no longer does: the interval, which shrinks with their square root, has to leave
    out what it must, and the test of a primary metric to find it as well; two digits are enough.
    """
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
    unit, wanted = (_deviations(share) for share in (2 * tail, _alpha(effect, primaries)))
    towards = estimate.value - estimate.low if estimate.value > 0 else estimate.high - estimate.value
    alike = half * _deviations(4 * tail) / unit
    tested = 0.0 if effect.p <= 2 ** (1 - effect.units) else _ratio(wanted, _deviations(effect.p))
    different = max(_ratio(towards * wanted / unit, abs(estimate.value)), tested)
    return min(different, _ratio(alike, margin - abs(estimate.value))) ** 2


def _deviations(p: float) -> float:
    """Of the normal distribution, beyond which `p` lies on both sides together."""
    return -NormalDist().inv_cdf(max(p, 1e-300) / 2)


def _ratio(half: float, wanted: float) -> float:
    return half / wanted if wanted > 0 else math.inf
