"""What the findings amount to, told in sentences.

Knows findings and their numbers. Knows nothing of how they were computed or where the sentences are shown.
"""

from collections.abc import Iterator, Sequence

from evals.analysis.growth import MOST
from evals.comparison import Design, Effect, Finding, Role, Verdict
from evals.format import bounds, change, shown
from evals.stats.paired import fewest_units

DECIDE = "Decide on a number of cases before you ask again: who looks until it fits finds what is not there"
_BETTER, _WORSE = 0, 1
_SAID = {
    "f1": ("it shares more words with the expected answers", "it shares fewer words with the expected answers"),
    "correct": ("the judge finds its answers more correct", "the judge finds its answers less correct"),
    "preferred": ("the judge likes its answers better", "the judge likes its answers less"),
    "hallucination": ("it invents less", "it invents more"),
    "citation_recall": ("more of its statements are cited", "fewer of its statements are cited"),
    "cost": ("it costs less", "it costs more"),
    "latency": ("it is faster", "it is slower"),
}
"""What better and what worse mean, where a metric's name does not tell."""


def judge(
    effects: Sequence[Effect], design: Design, distrust: Sequence[str] = (), asked: int | None = None
) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict with its reasons: what decided it, then what is open. `asked`: cases, where some metrics apply to fewer.

    Not trustworthy where anything is to distrust. Worse where a primary metric or a guardrail is. Better where a primary
    metric is, and every guardrail of the design is held; equivalent where all primary metrics of the design are, and every
    guardrail is held. Otherwise not known yet.
    """
    if distrust:
        return Verdict.UNTRUSTWORTHY, tuple(distrust)
    deciding = [effect for effect in effects if effect.role is not Role.OTHER]
    found = {effect.metric.name: effect.finding for effect in deciding}
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
    gaps = [f"{name} is a guardrail, and can be compared on fewer than two independent cases" for name in unmeasured]
    open_still = [_open(effect, design, asked or effect.pairs) for effect in deciding if effect.finding is Finding.UNKNOWN]
    advice = [DECIDE] if any(" cases would tell" in told for told in open_still) else []
    return verdict, (*_decided(verdict, deciding, design), *gaps, *open_still, *advice)


def _decided(verdict: Verdict, deciding: Sequence[Effect], design: Design) -> Iterator[str]:
    """What carries the verdict, and what else is known, as one text of a sentence or two."""
    worse, primary = [e for e in deciding if e.finding is Finding.WORSE], [e for e in deciding if e.role is Role.PRIMARY]
    told = [_known(effect, design) for effect in (*worse, *(e for e in primary if e not in worse))]
    held = [effect.metric.label for effect in deciding if effect.finding is Finding.HELD]
    open_still = [e.metric.label for e in deciding if e.role is Role.GUARDRAIL and e.finding is Finding.UNKNOWN]
    sentences = ["; ".join(told)] if told else []
    if held:
        sentences.append(f"{_listed(held)} {'is' if len(held) == 1 else 'are'} no worse than tolerated")
    if open_still:
        sentences.append(
            f"whether {_listed(open_still)} {'is' if len(open_still) == 1 else 'are'} no worse than tolerated is open"
        )
    if sentences:
        yield ". ".join([sentences[0], *(sentence[0].upper() + sentence[1:] for sentence in sentences[1:])])


def _known(effect: Effect, design: Design) -> str:
    """What is known of one metric, with its numbers."""
    metric, margin = effect.metric, effect.margin or 0.0
    numbers = (
        f"{metric.label} {shown(metric, effect.a.value)} → {shown(metric, effect.b.value)} ({bounds(metric, effect.difference)})"
    )
    match effect.finding:
        case Finding.WORSE if effect.role is Role.GUARDRAIL:
            return f"{_said(effect, _WORSE)}, {numbers}, where no more than {_tolerated(effect, design)} is tolerated"
        case Finding.BETTER | Finding.WORSE:
            said = _said(effect, _BETTER if effect.finding is Finding.BETTER else _WORSE)
            small = abs(effect.difference.value) < margin
            return f"{said}, {numbers}" + (f", though by less than the {shown(metric, margin)} that matter" if small else "")
        case Finding.EQUIVALENT:
            return f"{numbers}: what difference there may be is within {shown(metric, margin)}, too small to matter"
        case _:
            difference = effect.difference
            return f"{numbers} {'may be chance' if difference.low <= 0 <= difference.high else 'is not certain'}"


def _said(effect: Effect, way: int) -> str:
    metric = effect.metric
    higher = (metric.better == "higher") is (way == _BETTER)
    return _SAID[metric.name][way] if metric.name in _SAID else f"its {metric.label} is {'higher' if higher else 'lower'}"


def _tolerated(effect: Effect, design: Design) -> str:
    """`10 %` of what A has, or `5.0 points`."""
    metric, margin = effect.metric, effect.margin or 0.0
    share = next((one.margin for one in design.guardrails if one.metric == metric.name and one.relative), None)
    if share is not None:
        return f"{100 * share:g} %"
    return change(metric, margin).lstrip("+")


def _open(effect: Effect, design: Design, asked: int) -> str:
    """Why it is not known, and what would settle it."""
    if effect.lacking:
        return f"{effect.metric.label} is not known: {effect.lacking}.{_without(effect, design)}"
    reasons = [*_limits(effect, design), *_unknown(effect), *_more(effect, len(design.primary), asked)]
    return f"{effect.metric.label}: {'; '.join(reasons)}"


def _limits(effect: Effect, design: Design) -> Iterator[str]:
    """What it is that is not known: of a guardrail, what may be; of a primary metric, where interval and test do not say the same."""
    if effect.role is Role.GUARDRAIL:
        yield f"it may be worse by more than the {_tolerated(effect, design)} that is tolerated"
        return
    sure = effect.p_adjusted is not None and effect.p_adjusted <= 1 - effect.difference.level
    apart = not effect.difference.low <= 0 <= effect.difference.high
    if sure and not apart:
        yield "the test finds a difference that few cases carry, and the interval still holds 0"
    elif apart and not sure:
        yield "the interval leaves out 0, and the test, which is stricter, finds nothing yet"


def _without(effect: Effect, design: Design) -> str:
    """How to decide without a guardrail of which nothing is known."""
    others = " ".join(one.option for one in design.guardrails if one.metric != effect.metric.name)
    return f" To decide without it: {others}" if others else " Name a guardrail that can be measured"


def _unknown(effect: Effect) -> Iterator[str]:
    """What keeps it from being known, however many cases there are; nothing where all values are known."""
    missing = effect.missing_a + effect.missing_b
    if effect.worst_case is None:
        if missing and effect.role is Role.GUARDRAIL:
            yield "1 value is missing" if missing == 1 else f"{missing:,} values are missing"
        return
    kinds = (
        (missing, "missing value", "missing values"),
        (effect.alone, "case to which it applies on one side only", "cases to which it applies on one side only"),
        (effect.torn, "case of which the judge said two things", "cases of which the judge said two things"),
    )
    told = " and ".join(f"{count:,} {one if count == 1 else many}" for count, one, many in kinds if count)
    low, high = (change(effect.metric, bound) for bound in effect.worst_case)
    leaves = "leaves" if missing + effect.alone + effect.torn == 1 else "leave"
    yield f"{told} {leaves} open anything from {low} to {high}"


def _more(effect: Effect, primaries: int, asked: int) -> Iterator[str]:
    """How many cases would tell; of the kind that was asked, and two digits are enough."""
    fewest = fewest_units((1 - effect.difference.level) / primaries) if effect.role is Role.PRIMARY else 1
    if effect.units < min(fewest, effect.pairs):
        yield f"{effect.units} clusters can show no difference, however many cases they have: it takes {fewest}"
    elif effect.needed is None:
        yield f"if it stays like this, even {MOST} times as many cases would not be enough"
    elif (growth := effect.needed / effect.pairs) > 1:
        needed = max(asked + 1, round(float(f"{asked * growth:.1e}")))
        yield f"if it stays like this, about {needed:,} cases would tell, 4 times in 5"
    else:
        yield "if it stays like this, more cases would tell"


def _listed(labels: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(labels[:-1]), labels[-1])))
