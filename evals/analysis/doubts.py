"""What to know before trusting a comparison, in sentences: failures, missing values, too few cases.

Knows what makes numbers untrustworthy. Knows nothing of what the numbers say.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from evals.analysis.effects import TOO_MANY_MISSING, Measured
from evals.analysis.pairing import IntArray, Sides, missing_share, repeats
from evals.cases import UNREAD, Case
from evals.comparison import Agreement, Effect, Finding, Role
from evals.scorers.base import FAILED, Metric
from evals.scores import Column, ScoreTable
from rag.trace import Outcome

_UNANSWERED = tuple(outcome for outcome in Outcome if not outcome.succeeded)
TOO_MANY_UNANSWERED = 0.10
"""Of a side's requests: beyond that, a run says more about its upstream than about its prompt."""
MANY = 0.10
"""Of the cases: what is left out of fewer is a note, and no problem."""
_REASONS = 3
"""For missing values, that a sentence names at most."""
TRUSTED_KAPPA = 0.6
"""Substantial agreement begins there (Landis and Koch, 1977)."""
_FEW_CLUSTERS = 10
_FAR = 0.5
"""By which a case moved: where some did, the interval knows of it."""


def unanswered(sides: Mapping[str, ScoreTable], *, beyond: bool) -> Iterator[str]:
    """A sentence for each side some of whose requests were not answered, where they are too many or where they are not."""
    for side, table in sides.items():
        counts = {outcome: table.outcomes[outcome] for outcome in _UNANSWERED if table.outcomes[outcome]}
        unanswered, asked = sum(counts.values()), table.outcomes.total()
        if unanswered and (unanswered > TOO_MANY_UNANSWERED * asked) is beyond:
            how = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in counts.items())
            limit = f", more than {TOO_MANY_UNANSWERED:.0%}" if beyond else ""
            yield f"{unanswered:,} of {asked:,} requests of {side} were not answered ({how}){limit}{because(table)}"


def because(table: ScoreTable) -> str:
    """The most frequent reason for which requests were not answered, as the end of a sentence."""
    return "".join(f": {reason} ({count:,} of them)" for reason, count in table.failures.most_common(1))


def too_little(primary: Sequence[Sides], measured: Collection[str]) -> Iterator[str]:
    """Why the primary metrics cannot carry a verdict; `measured` names the metrics with enough pairs."""
    if all(one.metric.name not in measured for one in primary):
        yield f"fewer than two independent cases have {' or '.join(one.metric.label for one in primary)} on both sides"
    yield from (missing(one.metric, {"A": one.a, "B": one.b}) for one in riddled(primary))


def riddled(primary: Sequence[Sides]) -> list[Sides]:
    """Those of which a side misses too many values."""
    return [one for one in primary if max(missing_share(one.a), missing_share(one.b)) > TOO_MANY_MISSING]


def gaps(deciding: Sequence[Sides], measured: Collection[str], *, many: bool) -> Iterator[str]:
    """What is not known of the metrics that decide, or was left out of them: of many cases, or else of few. What is missing because a
    request failed is not told again.
    """
    for one in deciding:
        if many and not one.applies:
            yield f"{one.metric.label} applies to no case, and decides nothing"
        elif many and one.metric.name not in measured:
            yield f"fewer than two independent cases have {one.metric.label} on both sides"
        sides = {side: values for side, values in (("A", one.a), ("B", one.b)) if {*values.reasons} - {FAILED}}
        if sides and (max(map(missing_share, sides.values())) > MANY) is many:
            yield missing(one.metric, sides)
        alone = int(one.alone.sum())
        if alone and (alone > MANY * len(one.alone)) is many:
            cases = "1 case, which is" if alone == 1 else f"{alone:,} cases, which are"
            yield f"{one.metric.label} applies on one side only to {cases} left out of its mean"


def missing(metric: Metric, sides: Mapping[str, Column]) -> str:
    """How many values are not there, of how many, and why."""
    counts = {side: int(values.missing.sum()) for side, values in sides.items()}
    known = {side: int((~np.isnan(values.values)).sum()) for side, values in sides.items()}
    told = " and ".join(f"{count:,} of {count + known[side]:,} from {side}" for side, count in counts.items() if count)
    reasons = sum((values.reasons for values in sides.values()), Counter[str]())
    whole = sum(counts.values())
    why = "; ".join(one if times == whole else f"{one} ({times:,})" for one, times in reasons.most_common(_REASONS))
    return f"values of {metric.label} are missing, {told}" + (f": {why}" if why else "")


def few(together: IntArray | None) -> Iterator[str]:
    """Whether the labels of the cases are too few for their intervals to be exact, or some of them so frequent that they count as few."""
    if together is None or not len(together):
        return
    sizes = np.unique(together, return_counts=True)[1].astype(float)
    # Kish (1965): so many clusters of one size would make a mean as certain.
    effective = sizes.sum() ** 2 / np.sum(sizes**2)
    if len(sizes) < _FEW_CLUSTERS:
        yield f"the cases form only {len(sizes)} independent clusters, and intervals from so few are rough"
    elif effective < _FEW_CLUSTERS:
        yield (
            f"of {len(sizes):,} clusters the largest has {sizes.max():,.0f} of {len(together):,} cases, so that they count as "
            f"{effective:.1f} equal ones, and intervals from so few are rough"
        )


def unread(cases: Sequence[Case]) -> Iterator[str]:
    """Whether some cases were made of traces, and nobody has read them."""
    name, value = UNREAD
    if count := sum(case.tags.get(name) == value for case in cases):
        have = "1 case still has" if count == 1 else f"{count:,} cases still have"
        yield f"{have} the tag {name}: {value}. Nobody has read what is expected there: read it, and take the tag away"


def repeated(cases: Sequence[Case]) -> Iterator[str]:
    """Whether some cases tell nothing that others do not."""
    if count := repeats(cases):
        asks = "1 case asks what another one" if count == 1 else f"{count:,} cases ask what another one"
        yield f"{asks} of them asks: they are taken together, and do not make it surer"


def disagreeing(agreement: Agreement) -> Iterator[str]:
    """Whether people's labels do not show that a judge can be trusted."""
    if agreement.share == 1 and agreement.kappa == 0:
        yield f"all {agreement.labels:,} labelled answers have one grade, which cannot show whether the judge agrees with people"
    elif agreement.kappa < TRUSTED_KAPPA:
        yield (
            f"the judge agrees with people on {agreement.share:.0%} of {agreement.labels:,} labelled answers, kappa "
            f"{agreement.kappa:.2f}: below {TRUSTED_KAPPA} do not trust it alone"
        )


def unseen(effects: Sequence[Effect], measured: Mapping[str, Measured]) -> Iterator[str]:
    """Findings that a change too rare to be among so few cases would turn: the interval is made of what was seen.

    Of `n` cases, 3 / n of all cases may have anything and none of it be seen (Hanley and Lippman-Hand, 1983).
    """
    for effect in effects:
        if effect.role is not Role.PRIMARY or effect.finding not in (Finding.BETTER, Finding.WORSE) or not effect.metric.bounded:
            continue
        mean = effect.difference.value
        against = -np.sign(mean) * measured[effect.metric.name].pairs.differences
        if abs(mean) < 3 / effect.units and against.max() < _FAR:
            yield (
                f"no case changed much against what {effect.metric.label} shows, but one in {effect.units / 3:.0f} of all could, and "
                f"not be among these {effect.units:,}, which would turn it: ask more cases"
            )
