"""Runs and their results in the ledger: one variant over a set of cases, and what came of each.

Knows rows, and how they become columns. Knows nothing of how a case is asked or scored.
"""

import hashlib
from asyncio import wrap_future
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

import numpy as np
from sqlalchemy import Engine, delete, func, select

from evals.cases import Case
from evals.scorers.base import Missing, Scores
from evals.scores import Column, ScoreTable
from rag.errors import NotFoundError
from rag.ledger import schema
from rag.ledger.failures import translated
from rag.ledger.writer import Writer
from rag.trace import Outcome
from rag.types import Value
from rag.variant import Variant


class Run(Value):
    """Everything that decides the results; two runs that agree in it are the same run, and one goes on where the other ended."""

    created_at: str
    """ISO 8601, UTC."""
    name: str
    """For people: `answer@2`, or a variant's name."""
    cases: str
    """The file they were read from."""
    variant: Variant
    prompts: Mapping[str, str]
    """Reference to sha256."""
    prompt_text: str
    collection: str
    generation: str
    embedder: str
    validator: str
    judge: str | None = None
    """Its model and prompt."""
    fingerprint: str
    """Of the cases."""
    asked: int
    """Cases."""
    repeats: int
    stream: bool = False
    """Answers came piece by piece."""
    code: str

    @cached_property
    def id(self) -> str:
        """Of what decides the results: the same command is the same run. A field with its default leaves it as it was without the field."""
        decisive = self.model_dump(exclude={"created_at", "name", "cases", "prompt_text", "variant"}, exclude_defaults=True)
        told = repr((sorted(decisive.items()), self.variant.sha256))
        return hashlib.sha256(told.encode()).hexdigest()[:16]


class Result(Value):
    """What came of one case, asked once."""

    case: Case
    repeat: int
    trace_id: str
    outcome: Outcome
    failure: str | None = None
    """Why it was not answered."""
    scores: Scores
    scorers: tuple[str, ...]
    """Which gave them, with their versions."""
    cost_nanodollars: int | None
    """Of the answer, as billed when it was made."""
    judge_nanodollars: int | None = 0
    seconds: float
    timed: tuple[str, ...] = ()
    """The askings that made its calls, each by when it began: more than one where some answers were kept. Of old results, none."""


class Totals(NamedTuple):
    """Over all results of a run."""

    cost_nanodollars: int | None
    judge_nanodollars: int | None
    seconds: float
    """All answers one after another."""


class Runs:
    """Reads and writes runs."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    async def begin(self, run: Run) -> None:
        """Write the run, unless it is there."""
        if not self._latest(schema.runs.c.id == run.id):
            row = {"id": run.id, "created_at": run.created_at, "name": run.name, "body": run.model_dump_json()}
            await wrap_future(self._writer.submit(schema.runs, row))

    async def record(self, run_id: str, result: Result) -> None:
        """Write a result, in place of an earlier one of the same case and repeat; returns when it is committed."""
        row = {
            "run_id": run_id,
            "case_id": result.case.id,
            "repeat": result.repeat,
            "trace_id": result.trace_id,
            "body": result.model_dump_json(),
        }
        await wrap_future(self._writer.submit(schema.results, row))

    def forget(self, run_id: str) -> None:
        """Remove a run and all its results."""
        with translated(self._engine.url), self._engine.begin() as connection:
            connection.execute(delete(schema.results).where(schema.results.c.run_id == run_id))
            connection.execute(delete(schema.runs).where(schema.runs.c.id == run_id))

    def get(self, id: str) -> Run:
        """The run whose id is, or begins with, `id`. Raises `NotFoundError` where there is none, or more than one."""
        found = self._latest(schema.runs.c.id.startswith(id, autoescape=True), limit=2)
        if len(found) != 1:
            problem = f"no run has the id {id}" if not found else f"more than one run id begins with {id}"
            raise NotFoundError(problem, "`evals runs` lists them")
        return found[0]

    def latest(self, limit: int) -> list[tuple[Run, int]]:
        """At most `limit` runs, newest first, each with how many results it has."""
        counted = select(func.count()).select_from(schema.results)
        with translated(self._engine.url), self._engine.connect() as connection:
            return [
                (run, connection.execute(counted.where(schema.results.c.run_id == run.id)).scalar_one())
                for run in self._latest(limit=limit)
            ]

    def results(self, run_id: str) -> Iterator[Result]:
        """By case and repeat; not all in memory at once."""
        columns = schema.results.c
        query = select(columns.body).where(columns.run_id == run_id).order_by(columns.case_id, columns.repeat)
        with translated(self._engine.url), self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=256).execute(query):
                yield Result.model_validate_json(row.body)

    def digest(self, run_id: str) -> str:
        """Of all results of a run: another one as soon as any is written, or written anew."""
        columns, found = schema.results.c, hashlib.sha256()
        query = select(columns.body).where(columns.run_id == run_id).order_by(columns.case_id, columns.repeat)
        with translated(self._engine.url), self._engine.connect() as connection:
            for row in connection.execution_options(yield_per=256).execute(query):
                found.update(row.body.encode())
        return found.hexdigest()

    def table(self, run_id: str) -> ScoreTable:
        """The scores of a run as columns; a case and repeat that was not asked is NaN everywhere, and has no trace."""
        return table(self.results(run_id))

    def totals(self, run_id: str) -> Totals:
        """What the answers of a run cost and took."""
        cost: int | None = 0
        judge: int | None = 0
        seconds = 0.0
        for result in self.results(run_id):
            cost, judge = _plus(cost, result.cost_nanodollars), _plus(judge, result.judge_nanodollars)
            seconds += result.seconds
        return Totals(cost, judge, seconds)

    def _latest(self, *conditions: object, limit: int = 1) -> list[Run]:
        query = select(schema.runs.c.body).where(*conditions).order_by(schema.runs.c.created_at.desc()).limit(limit)  # type: ignore[arg-type]
        with translated(self._engine.url), self._engine.connect() as connection:
            return [Run.model_validate_json(row.body) for row in connection.execute(query)]


def _plus(total: int | None, more: int | None) -> int | None:
    return None if total is None or more is None else total + more


def table(results: Iterable[Result]) -> ScoreTable:
    """The scores of results as columns."""
    cells: dict[str, list[tuple[int, int, float]]] = {}
    reasons: dict[str, Counter[str]] = {}
    traces: list[tuple[int, int, str, str]] = []
    places: dict[str, int] = {}
    outcomes: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for result in results:
        place = places.setdefault(result.case.id, len(places))
        traces.append((place, result.repeat, result.trace_id, " ".join(result.timed)))
        outcomes[result.outcome] += 1
        if result.failure:
            failures[result.failure] += 1
        for metric, score in result.scores.items():
            value = np.inf if isinstance(score, Missing) else score
            cells.setdefault(metric, []).append((place, result.repeat, value))
            if isinstance(score, Missing):
                reasons.setdefault(metric, Counter())[score.reason.partition(": ")[0]] += 1
    shape = (len(places), 1 + max((repeat for _, repeat, *_ in traces), default=0))
    ids, timed = (
        np.full(shape, "", dtype="<U36"),
        np.full(shape, "", dtype=f"<U{max((len(one[3]) for one in traces), default=1)}"),
    )
    for place, repeat, trace_id, askings in traces:
        ids[place, repeat], timed[place, repeat] = trace_id, askings
    columns = {metric: _column(found, shape, reasons.get(metric, Counter())) for metric, found in cells.items()}
    return ScoreTable(tuple(places), columns, ids, timed, outcomes, failures)


def _column(cells: list[tuple[int, int, float]], shape: tuple[int, int], reasons: Counter[str]) -> Column:
    """From (case, repeat, value) triples, a missing value given as infinity."""
    cases, repeats, values = (np.array(part) for part in zip(*cells, strict=True))
    column = np.full(shape, np.nan)
    column[cases, repeats] = values
    missing = np.isinf(column)
    column[missing] = np.nan
    return Column(column, missing, reasons)
