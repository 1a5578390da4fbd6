"""The runs of the ledger with their scores, and the reports that were written beside it.

Knows where both are kept. Knows nothing of how they are shown.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from evals.comparison import Comparison, Estimate
from evals.execution.runs import Run, Runs
from evals.report import words
from evals.report.files import DATA, PAGE
from evals.scorers.base import Metric
from evals.scores import Column
from rag.errors import NotFoundError
from rag.runtime import Runtime

LATEST = 20
"""Runs that are listed."""
FOLDER = "evals"
"""Of the home: where a comparison is written if no other folder is named."""


class Score(NamedTuple):
    """One metric of a run, over its cases."""

    metric: Metric
    mean: Estimate | None
    cases: int
    missing: int


class Scored(NamedTuple):
    """A run, how many results it has, and the means of its metrics."""

    run: Run
    results: int
    scores: tuple[Score, ...]

    @property
    def planned(self) -> int:
        return self.run.asked * self.run.repeats

    def score(self, metric: str) -> Score | None:
        """Of a metric by its name; null where the run has none."""
        return next((score for score in self.scores if score.metric.name == metric), None)


class Report(NamedTuple):
    """A comparison that was written as a page."""

    name: str
    created_at: str
    headline: words.Headline
    foundation: str


def latest(runtime: Runtime) -> list[Scored]:
    """The newest first."""
    runs = Runs(runtime.engine, runtime.writer)
    return [Scored(run, results, _scores(runtime, run.id, results)) for run, results in runs.latest(LATEST)]


def scored(runtime: Runtime, id: str) -> Scored:
    """One run. Raises `NotFoundError`."""
    runs = Runs(runtime.engine, runtime.writer)
    run = runs.get(id)
    results = runs.table(run.id).outcomes.total()
    return Scored(run, results, _scores(runtime, run.id, results))


def reports(home: Path) -> list[Report]:
    """The newest first; what another version has written, and this one cannot read, is left out."""
    files = (folder / DATA for folder in _folders(home))
    found = [report for file in files if (report := _report(file, file.stat().st_mtime_ns))]
    return sorted(found, key=lambda report: report.created_at, reverse=True)


def report(home: Path, name: str) -> Path:
    """The page of a report. Raises `NotFoundError`."""
    for folder in _folders(home):
        if folder.name == name:
            return folder / PAGE
    raise NotFoundError(f"there is no report {name}", "the page of reports lists what there is")


def _folders(home: Path) -> Iterator[Path]:
    for folder in (home / FOLDER).glob("*"):
        if (folder / PAGE).is_file() and (folder / DATA).is_file():
            yield folder


@lru_cache(maxsize=64)  # a file that has not changed says the same
def _report(file: Path, modified: int) -> Report | None:
    from pydantic import ValidationError

    try:
        comparison = Comparison.model_validate_json(file.read_bytes())
    except ValidationError:
        return None
    return Report(file.parent.name, comparison.created_at, words.headline(comparison), words.foundation(comparison))


@lru_cache(maxsize=256)  # a run with as many results as before has the same scores
def _scores(runtime: Runtime, id: str, results: int) -> tuple[Score, ...]:
    from evals.pairwise import known_metrics

    table = Runs(runtime.engine, runtime.writer).table(id)
    return tuple(_score(metric, table.columns[name]) for name, metric in known_metrics().items() if name in table.columns)


def _score(metric: Metric, column: Column) -> Score:
    import numpy as np

    from evals.analysis.effects import average
    from evals.analysis.pairing import case_means

    by_case = case_means(column.values)
    known = by_case[~np.isnan(by_case)]
    return Score(metric, average(metric, known) if known.size else None, known.size, int(column.missing.sum()))
