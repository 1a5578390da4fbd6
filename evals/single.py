"""A stored run as a measurement: its scores in short, its worst answers and its failures read beside them.

Knows which of the ledger's rows a measurement needs. Knows no statistics, and nothing of how runs come about or are shown.
"""

from asyncio import to_thread
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from evals.agreement import Label
from evals.analysis import doubts
from evals.analysis.flips import answer
from evals.analysis.pairing import clusters
from evals.analysis.summary import lowest, means, quantiles
from evals.cases import Case
from evals.comparison import Design
from evals.execution.budget import Standing
from evals.execution.runs import Result, Run, Runs
from evals.measurement import Failure, Measurement, Worst
from evals.pairwise import agreed, gone, known_metrics, side
from evals.scorers.base import Metric
from evals.scores import ScoreTable
from rag.runtime import Runtime

_FAILURES = 10
"""That are shown: the others are like them."""


async def measured(
    runtime: Runtime, run: Run, design: Design, *, labels: Sequence[Label] = (), standing: Standing | None = None
) -> Measurement:
    """What is known of a run by itself. Of the design, the primary metrics, the clusters, the level and the seed count."""
    return await to_thread(_measured, runtime, run, design, labels, standing or Standing())


def _measured(runtime: Runtime, run: Run, design: Design, labels: Sequence[Label], standing: Standing) -> Measurement:
    runs = Runs(runtime.engine, runtime.writer)
    cases: dict[str, Case] = {}
    failed: list[Result] = []
    for result in runs.results(run.id):
        cases[result.case.id] = result.case
        if not result.outcome.succeeded:
            failed.append(result)
    table, totals, known = runs.table(run.id), runs.totals(run.id), known_metrics()
    together = clusters([cases[id] for id in table.case_ids], design.cluster_by)
    primary = [known[name] for name in design.primary]
    metrics = [*primary, *(metric for metric in known.values() if metric not in primary)]
    nothing = [f"no case has {metric.label}" for metric in primary if metric.name not in table.columns]
    distrust = [*doubts.unanswered({run.name: table}, beyond=True), *nothing]
    agreement = agreed(runs, [run], labels)
    return Measurement(
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        run=side(run, table, totals.cost_nanodollars),
        cases=Path(run.cases).name,
        fingerprint=run.fingerprint,
        asked=len(table.case_ids),
        planned=run.asked,
        repeats=run.repeats,
        collection=run.collection,
        generation=run.generation,
        trustworthy=not distrust,
        problems=(
            *distrust,
            *(
                [f"ended before all was asked, {standing.done:,} of {standing.planned:,}: {standing.ended}"]
                if standing.ended
                else []
            ),
            *gone(runtime, run.collection, cases),
            *doubts.unanswered({run.name: table}, beyond=False),
            *_gaps(table, primary, run.name),
            *doubts.repeated(list(cases.values())),
            *doubts.unread(list(cases.values())),
            *doubts.few(together),
            *(doubts.disagreeing(agreement) if agreement else ()),
        ),
        means=tuple(means(table, metrics, together, design)),
        primary=design.primary,
        quantiles=tuple(quantiles(table, metrics, together, design)),
        worst=tuple(_worst(runtime, table, cases, primary, {result.case.id for result in failed})),
        failures=tuple(_failure(runtime, result) for result in failed[:_FAILURES]),
        failed=len(failed),
        judge_nanodollars=totals.judge_nanodollars,
        judge=run.judge,
        agreement=agreement,
        spent_nanodollars=None if standing.unpriced else standing.spent,
        seconds=standing.seconds,
        at_once=standing.at_once,
    )


def _gaps(table: ScoreTable, primary: Sequence[Metric], name: str) -> Iterator[str]:
    for metric in primary:
        column = table.columns.get(metric.name)
        if column is not None and column.missing.any():
            yield doubts.missing(metric, {name: column})


def _worst(
    runtime: Runtime, table: ScoreTable, cases: Mapping[str, Case], primary: Sequence[Metric], without: Collection[str]
) -> Iterator[Worst]:
    for metric in primary[:1]:
        for case, name, trace_id, score in lowest(table, cases, metric, without):
            yield Worst(case=case, metric=name, answer=answer(runtime.traces.get(trace_id), score))


def _failure(runtime: Runtime, result: Result) -> Failure:
    reason = runtime.traces.get(result.trace_id).reason
    return Failure(case=result.case, trace_id=result.trace_id, outcome=result.outcome, reason=reason)
