"""Two stored runs as one comparison: their scores compared, their texts and their bills beside them.

Knows which of the ledger's rows a comparison needs. Knows no statistics, and nothing of how runs come about or are shown.
"""

from asyncio import Semaphore, gather, to_thread
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from evals import agreement as agreements
from evals.agreement import Label
from evals.analysis import doubts
from evals.analysis.compare import compare
from evals.analysis.flips import flips
from evals.cases import Case, gold_missing
from evals.comparison import Agreement, Comparison, Design, EarlyStop, Side
from evals.execution.budget import Standing
from evals.execution.early import Early
from evals.execution.runs import Result, Run, Runs
from evals.judge import CORRECT, GRADES, PREFERRED, Judge, Preference
from evals.scorers import metrics, open_scorers
from evals.scorers.base import Metric, Missing, Scores
from evals.scores import Column, ScoreTable
from rag.errors import GroundwireError
from rag.llms.pricing import total
from rag.runtime import Runtime

LATENCIES = 1000
"""Of a side, that its distribution is drawn from."""
AT_ONCE = 16
"""Pairs that are read and before the judge; how many calls its provider gets is the judge's turn to say."""
_NAMED = 3
"""Cases that a sentence names at most."""


class _Asked(NamedTuple):
    """What the results of a run are about."""

    cases: Mapping[str, Case]
    scorers: frozenset[tuple[str, ...]]
    """More than one, where results were scored at different times."""


def known_metrics() -> dict[str, Metric]:
    """All that a comparison may be decided by, by name."""
    return {**metrics(open_scorers()), CORRECT.name: CORRECT, PREFERRED.name: PREFERRED}


async def compared(
    runtime: Runtime,
    a: Run,
    b: Run,
    design: Design,
    *,
    judge: Judge | None = None,
    labels: Sequence[Label] = (),
    early: Early | None = None,
    standing: Standing | None = None,
) -> Comparison:
    """B against the baseline A, by the cases that are the same in both and what was measured alike.

    Raises `GroundwireError` where they asked different collections.
    """
    runs = Runs(runtime.engine, runtime.writer)
    if a.collection != b.collection:
        raise GroundwireError(
            f"run {a.id} asked collection {a.collection}, and run {b.id} asked {b.collection}", "compare runs over one collection"
        )
    asked_a, asked_b = [await to_thread(_asked, runs, run) for run in (a, b)]
    unlike = [id for id, case in asked_a.cases.items() if case != asked_b.cases.get(id, case)]
    cases = {id: case for id, case in {**asked_a.cases, **asked_b.cases}.items() if id not in set(unlike)}
    whole = [await to_thread(_table, runs, run, early) for run in (a, b)]
    table_a, table_b = [_only(table if a.judge == b.judge else _without(table, CORRECT), cases) for table in whole]
    preferences = await _preferences(runtime, judge, table_a, table_b, cases) if judge else {}
    if preferences:
        noise = {id: preference.noise for id, preference in preferences.items()}
        table_a = _with(table_a, PREFERRED, {id: preference.a for id, preference in preferences.items()}, noise)
        table_b = _with(table_b, PREFERRED, {id: preference.b for id, preference in preferences.items()}, noise)
    watched = (early.tests, len(early.looks)) if early else (None, 1)
    analysis = compare(table_a, table_b, cases, list(known_metrics().values()), design, *watched)
    totals = [await to_thread(runs.totals, run.id) for run in (a, b)]
    judged = [totals[0].judge_nanodollars, totals[1].judge_nanodollars, *(one.cost_nanodollars for one in preferences.values())]
    standing = standing or Standing()
    standing.pay([attempt for preference in preferences.values() for attempt in preference.attempts])
    agreement = await to_thread(agreed, runs, (a, b), labels)
    return Comparison(
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        a=side(a, table_a, totals[0].cost_nanodollars, analysis.timed),
        b=side(b, table_b, totals[1].cost_nanodollars, analysis.timed),
        cases=Path(a.cases).name,
        fingerprint=a.fingerprint,
        asked=len({*table_a.case_ids} & {*table_b.case_ids}),
        repeats=max(a.repeats, b.repeats),
        collection=a.collection,
        generation=a.generation,
        design=design,
        verdict=analysis.verdict,
        reasons=analysis.reasons,
        problems=(
            *_unlikeness(a, b, whole, unlike, asked_a.scorers | asked_b.scorers),
            *_problems(runtime, a, b, whole, cases, standing, early, preferences, agreement),
            *analysis.problems,
        ),
        notes=analysis.notes,
        effects=analysis.effects,
        quantiles=analysis.quantiles,
        tags=analysis.tags,
        flips=await to_thread(flips, analysis.flips.flipped, runtime.traces.get),
        lost=analysis.flips.lost,
        gained=analysis.flips.gained,
        variances=analysis.variances,
        judge_nanodollars=total(judged),
        judge=judge.identity if judge else a.judge if a.judge == b.judge else None,
        agreement=agreement,
        spent_nanodollars=None if standing.unpriced else standing.spent,
        seconds=standing.seconds,
        at_once=standing.at_once,
        early=_early(early, standing, totals[0].cost_nanodollars, totals[1].cost_nanodollars, max(a.repeats, b.repeats)),
    )


def _asked(runs: Runs, run: Run) -> _Asked:
    cases, scorers = {}, set()
    for result in runs.results(run.id):
        cases[result.case.id] = result.case
        scorers.add(result.scorers)
    return _Asked(cases, frozenset(scorers))


def _table(runs: Runs, run: Run, early: Early | None) -> ScoreTable:
    """Of a run that was watched, only what was looked at: answers that came in while it ended were not."""
    table = runs.table(run.id)
    return table if early is None else _only(table, frozenset(early.looked_at_ids))


def _only(table: ScoreTable, ids: Collection[str]) -> ScoreTable:
    """The rows of these cases."""
    rows = [row for row, id in enumerate(table.case_ids) if id in ids]
    columns = {name: column.rows(rows) for name, column in table.columns.items()}
    ids = tuple(table.case_ids[row] for row in rows)
    return replace(table, case_ids=ids, columns=columns, trace_ids=table.trace_ids[rows], timed=table.timed[rows])


def _without(table: ScoreTable, metric: Metric) -> ScoreTable:
    columns = {name: column for name, column in table.columns.items() if name != metric.name}
    return replace(table, columns=columns)


async def _preferences(
    runtime: Runtime, judge: Judge, a: ScoreTable, b: ScoreTable, cases: Mapping[str, Case]
) -> dict[str, Preference]:
    """The judge's choice of each case's first answers, by case."""
    places = dict(zip(b.case_ids, b.trace_ids[:, 0], strict=True))
    room = Semaphore(AT_ONCE)

    async def preferred(id: str, trace_a: str) -> tuple[str, Preference]:
        async with room:
            answer_a = await to_thread(runtime.traces.get, str(trace_a))
            answer_b = await to_thread(runtime.traces.get, str(places[id]))
            return id, await judge.prefer(answer_a, answer_b, cases[id])

    pairs = [(id, trace) for id, trace in zip(a.case_ids, a.trace_ids[:, 0], strict=True) if trace and places.get(id)]
    return dict(await gather(*(preferred(id, trace) for id, trace in pairs)))


def _with(table: ScoreTable, metric: Metric, scores: Mapping[str, Scores], noise: Mapping[str, float]) -> ScoreTable:
    """The table with another metric, of each case's first answer."""
    values = np.full(table.trace_ids.shape, np.nan)
    missing = np.zeros(table.trace_ids.shape, dtype=bool)
    for row, id in enumerate(table.case_ids):
        score = scores.get(id, {}).get(metric.name)
        missing[row, 0] = isinstance(score, Missing)
        if isinstance(score, float):
            values[row, 0] = score
    column = Column(values, missing, noise=np.array([noise.get(id, np.nan) for id in table.case_ids]))
    return replace(table, columns={**table.columns, metric.name: column})


def side(run: Run, table: ScoreTable, nanodollars: int | None, timed: Collection[str] | None = None) -> Side:
    """What a report shows of one run; of its latencies those of the cases `timed`, where that is given."""
    return Side(
        run_id=run.id,
        name=run.name,
        variant=run.variant,
        prompts=run.prompts,
        prompt_text=run.prompt_text,
        outcomes=dict(table.outcomes),
        cost_nanodollars=nanodollars,
        latencies=_latencies(table if timed is None else _only(table, timed)),
    )


def _latencies(table: ScoreTable) -> tuple[float, ...]:
    """Seconds, evenly chosen from the sorted ones, the smallest and the largest among them."""
    column = table.columns.get("latency")
    if column is None:
        return ()
    seconds = np.sort(column.values[~np.isnan(column.values)])
    places = np.linspace(0, max(0, len(seconds) - 1), min(LATENCIES, len(seconds))).round().astype(int)
    return tuple(float(second) for second in seconds[places])


def _unlikeness(
    a: Run, b: Run, tables: Sequence[ScoreTable], unlike: Sequence[str], scorers: Collection[tuple[str, ...]]
) -> Iterator[str]:
    """Sentences on what was not asked or not measured alike."""
    if unlike:
        named = ", ".join(unlike[:_NAMED]) + (", ..." if len(unlike) > _NAMED else "")
        yield f"{len(unlike):,} case{'s are' if len(unlike) > 1 else ' is'} not the same in both runs and left out: {named}"
    if a.judge != b.judge and any(CORRECT.name in table.columns for table in tables):
        yield (
            f"A was graded by {a.judge or 'no judge'}, and B by {b.judge or 'no judge'}: {CORRECT.label} is left out, "
            "as grades of two judges cannot be compared"
        )
    if len(scorers) > 1:
        everywhere = frozenset.intersection(*map(frozenset, scorers))
        versions = sorted({one for some in scorers for one in some} - everywhere)
        yield f"scored by different versions ({', '.join(versions)}): `evals score RUN` scores both alike"


def _problems(
    runtime: Runtime,
    a: Run,
    b: Run,
    tables: Sequence[ScoreTable],
    cases: Mapping[str, Case],
    standing: Standing,
    early: Early | None,
    preferences: Mapping[str, Preference],
    agreement: Agreement | None,
) -> list[str]:
    found = []
    if standing.ended and not (early and early.known):
        found.append(f"ended before all was asked, {standing.done:,} of {standing.planned:,}: {standing.ended}")
    for run, table in zip((a, b), tables, strict=True):
        if early is None and not standing.ended and len(table.case_ids) < run.asked:
            found.append(
                f"run {run.name} ended after {len(table.case_ids):,} of {run.asked:,} cases: if that was for what was seen, as with "
                "--early-stop, only the report of that command counts"
            )
    if a.generation != b.generation:
        found.append("the collection changed between the two runs, so that they may have been given different passages")
    found += gone(runtime, a.collection, cases)
    torn = [preference.consistent for preference in preferences.values() if preference.consistent is not None]
    if torn.count(False):
        coin = ", no better than a coin" if 2 * torn.count(False) >= len(torn) else ""
        found.append(
            f"the judge changed its mind with the order of the answers in {torn.count(False):,} of {len(torn):,} cases{coin}"
        )
    if agreement:
        found += doubts.disagreeing(agreement)
    return found


def gone(runtime: Runtime, collection: str, cases: Mapping[str, Case]) -> Iterator[str]:
    """A sentence on the gold documents that the collection does not have, if there are any."""
    if lost := gold_missing(cases.values(), runtime.corpus.documents(collection)):
        named = ", ".join(sorted({id for ids in lost.values() for id in ids})[:_NAMED])
        yield (
            f"{len(lost):,} case{'s name' if len(lost) > 1 else ' names'} gold documents that collection {collection} does not have ({named}): "
            "what the corpus lacks is not scored as a miss"
        )


def agreed(runs: Runs, judged_runs: Sequence[Run], labels: Sequence[Label]) -> Agreement | None:
    """Of the judge's grades with people's labels, for the answers that have both; the label that says most precisely which answer
    it is about counts. None where no answer has both.
    """
    precise = sorted(labels, key=lambda label: (label.trace_id is None, label.variant is None))
    judged, said = [], []
    for run in judged_runs:
        for result in runs.results(run.id):
            grade = result.scores.get(CORRECT.name)
            label = next((one for one in precise if _about(one, run, result)), None)
            if label and isinstance(grade, float) and grade in GRADES.values():
                judged.append(grade)
                said.append(label.label)
    return agreements.agreement(judged, said) if said else None


def _about(label: Label, run: Run, result: Result) -> bool:
    return (
        label.id == result.case.id
        and label.trace_id in (None, result.trace_id)
        and label.variant in (None, run.name, run.variant.name)
    )


def _early(early: Early | None, standing: Standing, cost_a: int | None, cost_b: int | None, repeats: int) -> EarlyStop | None:
    if early is None:
        return None
    saved = max(0, standing.planned - standing.done)
    per_call = None if cost_a is None or cost_b is None else (cost_a + cost_b) / max(1, standing.done)
    metric, test = min(early.tests.items(), key=lambda one: one[1].p)
    return EarlyStop(
        asked=early.looked_at,
        planned=standing.planned // (2 * repeats),
        stopped=early.known is not None,
        saved_calls=saved,
        saved_nanodollars=None if per_call is None else round(saved * per_call),
        looks=len(early.looks),
        metric=metric,
        p=test.p,
    )
