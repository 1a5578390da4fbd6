"""The evaluation runs of the ledger with their scores, and the reports in the home folder.

Knows where both are stored. Knows nothing of how they are shown.
"""

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from evals.comparison import Comparison, Design
from evals.execution.runs import Run, Runs
from evals.measurement import Mean, Measurement
from evals.report import words
from evals.report.files import DATA, PAGE
from rag.errors import NotFoundError
from rag.runtime import Runtime

LATEST = 20
"""Runs that are listed."""
FOLDER = "evals"
"""The folder in the home where reports are written by default."""


class Scored(NamedTuple):
    """A run, how many results it has, and the means of its metrics."""

    run: Run
    results: int
    scores: tuple[Mean, ...]

    @property
    def planned(self) -> int:
        return self.run.asked * self.run.repeats

    def score(self, metric: str) -> Mean | None:
        """The score of the metric with this name; null if the run has none."""
        return next((score for score in self.scores if score.metric.name == metric), None)


class Report(NamedTuple):
    """A comparison, or a single run, that was written as a page."""

    name: str
    created_at: str
    headline: words.Headline
    foundation: str


def latest(runtime: Runtime) -> list[Scored]:
    """The latest runs, newest first."""
    runs = Runs(runtime.engine, runtime.writer)
    return [Scored(run, results, _scores(runtime, run.id, runs.digest(run.id))) for run, results in runs.latest(LATEST)]


def scored(runtime: Runtime, id: str) -> Scored:
    """The run with this id. Raises `NotFoundError`."""
    runs = Runs(runtime.engine, runtime.writer)
    run = runs.get(id)
    results = runs.table(run.id).outcomes.total()
    return Scored(run, results, _scores(runtime, run.id, runs.digest(run.id)))


def reports(home: Path) -> list[Report]:
    """The reports, newest first. Those of another version that this one cannot read are left out."""
    files = (folder / DATA for folder in _folders(home))
    found = [report for file in files if (report := _report(home, file, file.stat().st_mtime_ns))]
    return sorted(found, key=lambda report: report.created_at, reverse=True)


def report(home: Path, name: str) -> Path:
    """The path of a report's page. Raises `NotFoundError`."""
    for folder in _folders(home):
        if _name(home, folder) == name:
            return folder / PAGE
    raise NotFoundError(f"there is no report {name}", "the page of reports lists what there is")


def _folders(home: Path) -> Iterator[Path]:
    """Folders with a report, at any depth: `evals run --base` writes one folder for each prompt into another."""
    for page in (home / FOLDER).rglob(PAGE):
        if page.is_file() and (page.parent / DATA).is_file() and page.parent != home / FOLDER:
            yield page.parent


def _name(home: Path, folder: Path) -> str:
    return folder.relative_to(home / FOLDER).as_posix()


@lru_cache(maxsize=64)  # `modified` makes a changed file another entry
def _report(home: Path, file: Path, modified: int) -> Report | None:
    from pydantic import TypeAdapter, ValidationError

    try:
        data = TypeAdapter[Comparison | Measurement](Comparison | Measurement).validate_json(file.read_bytes())
    except ValidationError:
        return None
    return Report(_name(home, file.parent), data.created_at, words.headline(data), _undated(data))


def _undated(data: Comparison | Measurement) -> str:
    """What a report rests on, without its time, which the page writes in the reader's zone."""
    return words.foundation(data).removesuffix(f" · {words.moment(data.created_at)}")


@lru_cache(maxsize=256)  # intervals take seconds to compute; `digest` changes with the run's results
def _scores(runtime: Runtime, id: str, digest: str) -> tuple[Mean, ...]:
    from evals.analysis.summary import means
    from evals.pairwise import known_metrics

    return tuple(means(Runs(runtime.engine, runtime.writer).table(id), list(known_metrics().values()), None, Design(primary=())))
