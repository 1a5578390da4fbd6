"""One comparison from question to verdict: asked, scored, compared.

Knows the order of the steps, and what the numbers are judged by. Knows no output.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import isfinite
from statistics import fmean

import numpy as np

from evals.agreement import Label
from evals.analysis.pairing import clusters
from evals.cases import Case
from evals.comparison import Comparison, Design, Guardrail
from evals.execution.arms import Arm
from evals.execution.budget import Limits
from evals.execution.early import Early
from evals.execution.estimate import lengths, price, seconds
from evals.execution.execution import Execution
from evals.execution.pilot import pilot
from evals.measurement import Measurement
from evals.pairwise import compared, known_metrics
from evals.scorers import open_scorers
from evals.scorers.base import Metric
from evals.single import measured
from evals.stats.power import Plan, plan
from rag.errors import GroundwireError
from rag.runtime import Runtime

PRIMARY = "f1"
JUDGED_PRIMARY = "correct"
GUARDRAILS = (
    Guardrail(metric="hallucination", margin=0.05, by_default=True),
    Guardrail(metric="citation_recall", margin=0.05, by_default=True),
    Guardrail(metric="cost", margin=0.10, relative=True, by_default=True),
    Guardrail(metric="latency", margin=0.20, relative=True, by_default=True),
)


@dataclass(frozen=True)
class Trial:
    """What is asked, and how it will be judged. Decided before the first call."""

    cases: Sequence[Case]
    """In the order in which they are asked."""
    source: str
    """The file they are from."""
    collection: str
    design: Design
    repeats: int = 1
    judge_model: str | None = None
    labels: Sequence[Label] = ()
    limits: Limits = field(default_factory=Limits)
    early_stop: bool = False
    fresh: bool = False
    stream: bool = False
    """Have answers sent piece by piece, to measure the time to first token."""

    def primary(self) -> list[Metric]:
        """The metrics that decide. Raises `GroundwireError` for one that nothing gives."""
        return [metric_named(name, judged=self.judge_model is not None) for name in self.design.primary]

    def guarded(self) -> list[Metric]:
        """Those that may not become worse, and decide nothing else. Raises as `primary` does."""
        names = [one.metric for one in self.design.guardrails if one.metric not in self.design.primary]
        return [metric_named(name, judged=self.judge_model is not None) for name in names]


def decided(
    primary: Sequence[str] | None,
    guardrails: Sequence[str] | None,
    margin: float,
    cluster_by: str | None,
    judge: str | None,
    seed: int,
) -> Design:
    """A design as people write it; what they leave out is the default's. Raises `GroundwireError` with the option at fault."""
    names = tuple(dict.fromkeys(primary or [JUDGED_PRIMARY if judge else PRIMARY]))
    kept = tuple(Guardrail.parse(text) for text in guardrails) if guardrails else GUARDRAILS
    for name in (*names, *(guardrail.metric for guardrail in kept)):
        metric_named(name, judged=judge is not None)
    for guardrail in kept if guardrails else ():
        metric = metric_named(guardrail.metric, judged=judge is not None)
        if guardrail.metric in names:
            raise GroundwireError(f"{guardrail.metric} is primary and a guardrail", "choose one of the two")
        if guardrail.relative and metric.better == "higher" and guardrail.margin >= 1:
            raise GroundwireError(f"--guardrail {guardrail.metric}: a margin of 100% allows any fall", "give one below 100%")
    return Design(primary=names, guardrails=kept, margin=finite("--margin", margin), cluster_by=cluster_by, seed=seed)


def finite(option: str, value: float) -> float:
    """The number that an option was given. Raises `GroundwireError` where it is none, or has no end."""
    if not isfinite(value):
        raise GroundwireError(f"{option} {value} is no number", f"give {option} a finite one")
    return value


def metric_named(name: str, *, judged: bool) -> Metric:
    """A metric that a comparison can be decided by. Raises `GroundwireError` where there is none of that name."""
    known: Mapping[str, Metric] = known_metrics()
    if name not in known:
        near = get_close_matches(name.casefold(), [one.casefold() for one in known], n=1, cutoff=0.8)
        found = next((one for one in known if near and one.casefold() == near[0]), None)
        raise GroundwireError(
            f"there is no metric {name}", f"did you mean {found}?" if found else f"there are {', '.join(known)}"
        )
    if name in (JUDGED_PRIMARY, "preferred") and not judged:
        raise GroundwireError(f"{name} is what a judge says", "name one with --judge MODEL")
    return known[name]


def execution(runtime: Runtime, trial: Trial, arms: Sequence[Arm]) -> Execution:
    """Ready to ask the trial's cases of these arms. Raises `GroundwireError` where a model, prompt or collection is not there."""
    return Execution(
        runtime,
        arms,
        trial.cases,
        trial.collection,
        source=trial.source,
        scorers=open_scorers(),
        repeats=trial.repeats,
        judge_model=trial.judge_model,
        limits=trial.limits,
        fresh=trial.fresh,
        stream=trial.stream,
    )


async def measure(runtime: Runtime, trial: Trial, asking: Execution) -> Measurement:
    """One run, asked as far as the limits allow, and measured."""
    try:
        await asking.carry_out()
    finally:
        await asking.close()
    return await measured(runtime, asking.records[0], trial.design, labels=trial.labels, standing=asking.standing)


async def contest(runtime: Runtime, trial: Trial, asking: Execution) -> Comparison:
    """Two runs, asked and compared."""
    order = [case.id for case in trial.cases]
    early = Early(trial.primary(), trial.guarded(), order, trial.repeats, trial.design) if trial.early_stop else None
    a, b = asking.records
    try:
        await asking.carry_out(early)
        judge = asking.judge
        if judge and not asking.affordable(2 * len(trial.cases)):
            judge = None
            asking.standing.ended = (
                asking.standing.ended or "to ask which answers the judge prefers might cost more than what is left"
            )
        return await compared(
            runtime, a, b, trial.design, judge=judge, labels=trial.labels, early=early, standing=asking.standing
        )
    finally:
        await asking.close()


async def foreseen(runtime: Runtime, trial: Trial, arms: Sequence[Arm], effect: float | None) -> Plan:
    """What the trial can find and what it takes, by earlier runs of the same arms where there are any, and without a call."""
    primary = trial.primary()
    together = clusters(trial.cases, trial.design.cluster_by)
    asking = execution(runtime, trial, arms)
    try:
        earlier = pilot(asking.runs, asking.records, primary, trial.design.cluster_by)
        if earlier and earlier.nanodollars is not None:
            nanodollars: tuple[float, float] | None = (earlier.nanodollars, earlier.nanodollars)
        else:
            prices = [price(pipeline, round(fmean(await lengths(pipeline, trial.cases)))) for pipeline in asking.first_pipelines]
            lows, highs = ([bounds[end] for bounds in prices if bounds] for end in (0, 1))
            nanodollars = (fmean(lows), fmean(highs)) if len(lows) == len(prices) else None
        assumed = [seconds(pipeline) for pipeline in asking.first_pipelines]
    finally:
        await asking.close()
    return plan(
        primary,
        trial.design,
        cases=len(trial.cases),
        repeats=trial.repeats,
        cluster_sizes=() if together is None else np.bincount(together).tolist(),
        pilot=earlier.pairs if earlier else None,
        source=earlier.source if earlier else "",
        effect=effect,
        nanodollars=nanodollars,
        seconds=(earlier.seconds, earlier.seconds)
        if earlier
        else (fmean(least for least, _ in assumed), fmean(most for _, most in assumed)),
        timed=earlier is not None,
        concurrency=trial.limits.concurrency or asking.slots,
    )
