"""What to know before trusting a comparison, in sentences: failures, missing values, too few cases.

Knows what makes numbers untrustworthy. Knows nothing of what the numbers say.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from evals.analysis.effects import TOO_MANY_MISSING, Measured
from evals.analysis.pairing import IntArray, Sides, missing_share, repeats
from evals.cases import Case
from evals.comparison import Agreement, Effect, Finding, Role
from evals.scorers.base import Metric
from evals.scores import Column, ScoreTable
from rag.trace import Outcome

_UNANSWERED = tuple(outcome for outcome in Outcome if not outcome.succeeded)
TOO_MANY_UNANSWERED = 0.10
"""Of a side's requests: beyond that, a run says more about its upstream than about its prompt."""
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
    for one in primary:
        for side, values in (("A", one.a), ("B", one.b)):
            if missing_share(values) > TOO_MANY_MISSING:
                yield f"{missing(one.metric, side, values)}, more than {TOO_MANY_MISSING:.0%}"


def gaps(deciding: Sequence[Sides], measured: Collection[str]) -> Iterator[str]:
    """What is not known of the metrics that decide, or was left out of them."""
    for one in deciding:
        if not one.applies:
            yield f"{one.metric.label} applies to no case, and decides nothing"
            continue
        if one.metric.name not in measured:
            yield f"fewer than two independent cases have {one.metric.label} on both sides"
        yield from (missing(one.metric, side, values) for side, values in (("A", one.a), ("B", one.b)) if values.missing.any())
        alone = int(one.alone.sum())
        if alone:
            cases = "1 case, which is" if alone == 1 else f"{alone:,} cases, which are"
            yield f"{one.metric.label} applies on one side only to {cases} left out of its mean"


def missing(metric: Metric, side: str, values: Column) -> str:
    """How many values are not there, of how many, and why."""
    count = int(values.missing.sum())
    of = count + int((~np.isnan(values.values)).sum())
    why = ", ".join(f"{reason} {times:,}" for reason, times in values.reasons.most_common(_REASONS))
    return f"{count:,} of {of:,} values of {metric.label} are missing from {side}" + (f" ({why})" if why else "")


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
