"""The `evals` command: run, plan, compare, score, runs, retrieval; and what `conversion.cli` adds about cases, `grounding.cli` about validators.

Knows options and output. Knows nothing of how anything is measured.
"""

from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

import evals.conversion.cli as writing
import evals.grounding.cli as validators
from prompts.command import Command, show
from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from evals.cases import Case
    from evals.comparison import Comparison, Design, Verdict
    from evals.execution.arms import Arm
    from evals.execution.budget import Standing
    from evals.execution.runs import Runs
    from evals.trial import Trial
    from rag.runtime import Runtime

app = Command(help="Is prompt B better than prompt A, and how sure are we?")

A = Annotated[str | None, typer.Option("--a", metavar="NAME", help="The baseline: a prompt such as answer@1, or a variant.")]
B = Annotated[str | None, typer.Option("--b", metavar="NAME", help="The candidate: a prompt or a variant.")]
CaseFile = Annotated[Path, typer.Option("--cases", metavar="FILE", help="Cases, one JSON object a line.")]
CollectionName = Annotated[str | None, typer.Option("--collection", "-c", help="Default: the name of the case file.")]
Base = Annotated[
    str | None,
    typer.Option(
        "--variant", help="The variant that a prompt is put into.", show_default="hosted with a provider's --model, else default"
    ),
]
Model = Annotated[str | None, typer.Option(help="Answer with this model instead, as in openai/gpt-4.1-mini.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Use a random sample of so many cases.")]
Repeats = Annotated[int, typer.Option(min=1, help="Ask every case so many times.")]
Seed = Annotated[int, typer.Option(help="Random seed of the order of the cases and of all resampling.")]
Primary = Annotated[
    list[str] | None,
    typer.Option(metavar="METRIC", help="The metric that decides; repeatable. Default: f1, or correct with a judge."),
]
Guardrails = Annotated[
    list[str] | None,
    typer.Option(
        "--guardrail", metavar="METRIC=MARGIN", help="How much worse B may be: cost=10% or hallucination=0.05; repeatable."
    ),
]
Margin = Annotated[float, typer.Option(min=0, help="A difference of a primary metric within it is too small to matter.")]
ClusterBy = Annotated[
    str | None, typer.Option(metavar="TAG", help="Cases that share a document, or a tag's value, are not independent.")
]
JudgeModel = Annotated[str | None, typer.Option("--judge", metavar="MODEL", help="Let this model grade the answers as well.")]
Labels = Annotated[Path | None, typer.Option(metavar="FILE", help="People's grades, to see how far the judge agrees.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write the reports here.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]

T = TypeVar("T")


@app.callback()
def _app() -> None:
    """Is prompt B better than prompt A, and how sure are we?"""


@app.command()
def run(
    cases: CaseFile,
    a: A = None,
    b: B = None,
    base: Annotated[
        str | None, typer.Option(metavar="REF", help="Compare every prompt that differs from this git commit.")
    ] = None,
    collection: CollectionName = None,
    variant: Base = None,
    model: Model = None,
    limit: Limit = None,
    repeats: Repeats = 1,
    seed: Seed = 0,
    primary: Primary = None,
    guardrail: Guardrails = None,
    margin: Margin = 0.03,
    cluster_by: ClusterBy = None,
    judge: JudgeModel = None,
    labels: Labels = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Requests at once. Default: as many as the provider takes.")
    ] = None,
    max_cost: Annotated[float | None, typer.Option(min=0, metavar="DOLLARS", help="Stop before more is spent.")] = None,
    early_stop: Annotated[
        bool, typer.Option("--early-stop", help="Stop as soon as the verdict is known; errors stay controlled.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget what these runs have, and ask it again.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Ask again what failed, or got no verdict.")] = False,
    stream: Annotated[
        bool, typer.Option("--stream", help="Measure the time to first token too; takes more work for each answer.")
    ] = False,
    out: Out = None,
) -> None:
    """Ask the cases of two variants and compare them, or of one. To resume a run that was stopped, run the same command again.

    Exits with 0 where B is better or equivalent, 1 where worse, 3 where not known yet, 4 where the numbers are not to be trusted.
    """
    from dataclasses import replace

    from rag.llms import OURS, worker

    if base is None and bool(a) != bool(b):
        raise GroundwireError(
            f"--{'a' if a else 'b'} has nothing to be compared with", "name both --a and --b, or --base, or neither"
        )
    watches = "--early-stop" if early_stop else "--guardrail" if guardrail else None
    if watches and not a and base is None:
        raise GroundwireError(f"{watches} watches a comparison, and there is one variant only", "name --a and --b, or --base")
    if labels and not judge:
        raise GroundwireError("--labels are held against what a judge says, and there is none", "name one with --judge MODEL")
    if base is not None and (a or b):
        raise GroundwireError("--base finds what to compare by itself", "leave out --a and --b")
    if model and not model.startswith(OURS):
        # Seconds before it is asked anything: what calls models takes as long to start as all the rest.
        worker.prestart()
    from evals.comparison import gravest
    from evals.execution.arms import Arm
    from evals.execution.budget import Budget, Limits
    from evals.trial import decided, finite
    from rag.variant import standard

    with _runtime() as runtime:
        taken = variant or standard(runtime.settings.variants, model)
        design = decided(primary, guardrail, margin, cluster_by, judge, seed)
        trial = _trial(runtime, cases, collection, limit, repeats, design, judge, labels)
        budget = None if max_cost is None else Budget(round(finite("--max-cost", max_cost) * 1e9))
        limits = Limits(concurrency, budget, retry_failed)
        trial = replace(trial, limits=limits, early_stop=early_stop, fresh=fresh, stream=stream)
        if variant is None:
            _note_variant(runtime, model, taken, (a, b))
        if base is not None:
            verdicts = _contests(runtime, trial, base, taken, model, out)
        elif a and b:
            verdicts = [
                _contest(runtime, trial, [Arm.named(name, runtime.settings, taken, model) for name in (a, b)], out).verdict
            ]
        else:
            _measure(runtime, trial, Arm.named(taken, runtime.settings, taken, model), out)
            verdicts = []
    raise typer.Exit(gravest(verdicts).exit_code)


@app.command()
def plan(
    cases: CaseFile,
    a: Annotated[str, typer.Option("--a", metavar="NAME", help="The baseline: a prompt such as answer@1, or a variant.")],
    b: Annotated[str, typer.Option("--b", metavar="NAME", help="The candidate: a prompt or a variant.")],
    collection: CollectionName = None,
    variant: Base = None,
    model: Model = None,
    limit: Limit = None,
    repeats: Repeats = 1,
    seed: Seed = 0,
    primary: Primary = None,
    margin: Margin = 0.03,
    cluster_by: ClusterBy = None,
    judge: JudgeModel = None,
    effect: Annotated[float | None, typer.Option(min=0, help="The difference to be found; by default, the margin.")] = None,
    json: Json = False,
) -> None:
    """Say before anything is spent what a comparison can find, what it costs and how long it takes."""
    from evals.execution.arms import Arm
    from evals.report.plan import plan_table
    from evals.trial import decided, finite, foreseen
    from rag.variant import standard

    with _runtime() as runtime:
        taken = variant or standard(runtime.settings.variants, model)
        design = decided(primary, None, margin, cluster_by, judge, seed)
        trial = _trial(runtime, cases, collection, limit, repeats, design, judge, None)
        arms = [Arm.named(name, runtime.settings, taken, model) for name in (a, b)]
        found = _carried_out(foreseen(runtime, trial, arms, None if effect is None else finite("--effect", effect)))
        if variant is None:
            _note_variant(runtime, model, taken, (a, b))
    show(found.model_dump_json() if json else plan_table(found))


@app.command()
def compare(
    a: Annotated[str, typer.Argument(metavar="RUN_A", help="The baseline: a run's id, or its beginning.")],
    b: Annotated[str, typer.Argument(metavar="RUN_B", help="The candidate.")],
    seed: Seed = 0,
    primary: Primary = None,
    guardrail: Guardrails = None,
    margin: Margin = 0.03,
    cluster_by: ClusterBy = None,
    labels: Labels = None,
    out: Out = None,
) -> None:
    """Compare two stored runs again, without a call; exits as `evals run` does."""
    from evals.agreement import read_labels
    from evals.pairwise import compared
    from evals.trial import decided

    with _stored() as runtime:
        stored = _runs(runtime)
        found = [stored.get(id) for id in (a, b)]
        judged = found[0].judge if found[0].judge == found[1].judge else None
        if labels and not judged:
            raise GroundwireError(
                "--labels are held against what a judge says, and none graded both runs", "run both with the same --judge MODEL"
            )
        design = decided(primary, guardrail, margin, cluster_by, judged, seed)
        people = read_labels(labels) if labels else ()
        comparison = _carried_out(compared(runtime, found[0], found[1], design, labels=people))
        _report(comparison, runtime, out)
    raise typer.Exit(comparison.verdict.exit_code)


@app.command()
def score(id: Annotated[str, typer.Argument(metavar="RUN", help="A run's id, or its beginning.")]) -> None:
    """Score the stored answers of a run again, without a call."""
    from evals.comparison import Design
    from evals.execution.rescoring import rescore
    from evals.report.terminal import run_table
    from evals.scorers import open_scorers
    from evals.single import measured

    with _stored() as runtime:
        stored = _runs(runtime)
        found = stored.get(id)
        count = _carried_out(rescore(stored, found, runtime, open_scorers()))
        told = _carried_out(measured(runtime, found, Design(primary=())))
        show(f"{count:,} answers of {found.id} scored", run_table(told))


@app.command()
def runs(
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 20,
    json: Json = False,
) -> None:
    """List the latest runs."""
    from evals.report.terminal import runs_table

    with _stored() as runtime:
        latest = _runs(runtime).latest(limit)
    show(*(found.model_dump_json() for found, _ in latest) if json else (runs_table(latest),))


@app.command()
def retrieval(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of sets: NAME/corpus.jsonl and NAME/questions.jsonl.")],
    embedder: Annotated[str, typer.Option(help="Embed with this one.")] = "onnx",
    json: Json = False,
) -> None:
    """Measure recall@5, MRR@10 and nDCG@10 of lexical, dense and hybrid retrieval on each set."""
    from rich.console import Console

    from evals.report.retrieval import retrieval_table
    from evals.retrieval import evaluate, sets
    from rag.bars import progress_bars

    console = Console(stderr=True)
    results = []
    for path in sets(folder):
        console.print(path.name, style="bold")
        with progress_bars(console) as progress:
            results.append(evaluate(path, embedder, progress))
        if json:
            typer.echo(results[-1].model_dump_json())
    if not json:
        show(retrieval_table(results))


app.command()(writing.convert)
app.command()(writing.promote)
app.command()(validators.grounding)
app.command()(validators.calibrate)
app.command()(validators.drift)


def _runtime() -> "Runtime":
    from rag.runtime import Runtime
    from rag.settings import Settings

    return Runtime(Settings())


def _stored() -> "Runtime":
    """Over what is there: only asking makes a home."""
    from rag.runtime import Runtime
    from rag.settings import Settings

    return Runtime(Settings().existing())


def _runs(runtime: "Runtime") -> "Runs":
    from evals.execution.runs import Runs

    return Runs(runtime.engine, runtime.writer)


def _note_variant(runtime: "Runtime", model: str | None, taken: str, sides: "Sequence[str | None]") -> None:
    """Tell which variant a model came with, unless what was compared were variants of their own."""
    from rag.variant import DEFAULT, names

    if taken != DEFAULT and not set(sides) <= set(names(runtime.settings.variants)):
        typer.echo(f"note: {model} answers by the variant {taken}; --variant names another", err=True)


def _trial(
    runtime: "Runtime",
    cases: Path,
    collection: str | None,
    limit: int | None,
    repeats: int,
    design: "Design",
    judge: str | None,
    labels: Path | None,
) -> "Trial":
    from evals.agreement import read_labels
    from evals.cases import read, sample
    from evals.trial import Trial

    found = read(cases)
    _ingest(runtime, collection or cases.stem, found, named=collection is not None)
    return Trial(
        cases=sample(found, limit or len(found), design.seed),
        source=cases.name,
        collection=collection or cases.stem,
        design=design,
        repeats=repeats,
        judge_model=judge,
        labels=read_labels(labels) if labels else (),
    )


def _ingest(runtime: "Runtime", collection: str, cases: "Sequence[Case]", *, named: bool) -> None:
    """Where the collection is not there, and the documents that hold the answers are files here, ingest the folder they lie in."""
    from os.path import commonpath

    from rag.bars import progress_bars
    from rag.ingest.ingest import ingest

    gold = sorted({id for case in cases for id in case.gold_ids})
    if named or collection in {there.name for there in runtime.corpus.collections()} or not gold:
        return
    if not all(Path(id).is_file() and not Path(id).is_absolute() for id in gold):
        return
    folder = commonpath([Path(id).parent for id in gold])
    if not folder:
        return
    typer.echo(f"collection {collection} is not there yet: ingesting {folder}, where the answers are", err=True)
    with progress_bars() as progress:
        ingest([folder], collection, runtime, progress=progress)


def _carried_out(work: "Coroutine[None, None, T]", standing: "Standing | None" = None) -> T:
    """Run to its end, how far it is shown meanwhile; an interrupted run says that nothing is lost."""
    import asyncio
    from contextlib import nullcontext

    from evals.report.progress import watched

    try:
        with watched(standing) if standing else nullcontext():
            return asyncio.run(work)
    except KeyboardInterrupt:
        typer.echo("stopped: what was answered is kept, and the same command goes on from here", err=True)
        raise typer.Exit(130) from None


def _contest(runtime: "Runtime", trial: "Trial", arms: "Sequence[Arm]", out: Path | None) -> "Comparison":
    from evals.trial import contest, execution

    asking = execution(runtime, trial, arms)
    comparison = _carried_out(contest(runtime, trial, asking), asking.standing)
    _report(comparison, runtime, out)
    return comparison


def _contests(
    runtime: "Runtime", trial: "Trial", base: str, variant: str, model: str | None, out: Path | None
) -> "list[Verdict]":
    """Every prompt that was changed since `base`, against what it was."""
    from evals.changes import Status, changed
    from evals.comparison import Verdict
    from evals.execution.arms import Arm
    from evals.report.files import write_comment

    folder = out or runtime.settings.home / "evals" / "base"
    comparisons: list[Comparison] = []
    faults: list[str] = []
    notes: list[str] = []
    for change in changed(runtime.settings.prompts, base):
        if change.base is None or change.head is None or not change.status.comparable:
            told = faults if change.status is Status.UNANSWERABLE else notes
            told.append(f"{change.name}: {change.status}")
            continue
        names = [f"{change.base.reference} of {base}", change.head.reference]
        arms = [
            Arm.of(prompt, name, runtime.settings, variant, model)
            for prompt, name in zip((change.base, change.head), names, strict=True)
        ]
        try:
            comparisons.append(_contest(runtime, trial, arms, folder / change.name))
        except GroundwireError as error:
            faults.append(f"{change.name} could not be compared: {error}")
    if not comparisons and not faults:
        notes.append(f"no prompt that answers differs from {base}")
    show(*faults, *notes)
    write_comment(comparisons, faults, notes, folder / "comment.md")
    show(f"comment for a pull request: {folder / 'comment.md'}")
    return [*(Verdict.UNTRUSTWORTHY for _ in faults), *(comparison.verdict for comparison in comparisons)]


def _measure(runtime: "Runtime", trial: "Trial", arm: "Arm", out: Path | None) -> None:
    from evals.comparison import Verdict
    from evals.report.files import write
    from evals.report.terminal import run_table
    from evals.trial import execution, measure

    asking = execution(runtime, trial, [arm])
    found = _carried_out(measure(runtime, trial, asking), asking.standing)
    page = write(found, out or runtime.settings.home / "evals" / found.run.run_id[:8])
    show(run_table(found), f"report: {page}")
    if found.failed:
        typer.echo(f"{found.failed:,} requests were not answered: --retry-failed asks them again", err=True)
    if asking.standing.ended:
        raise GroundwireError(f"ended before all was asked: {asking.standing.ended}", "the same command goes on from here")
    if not found.trustworthy:
        raise typer.Exit(Verdict.UNTRUSTWORTHY.exit_code)


def _report(comparison: "Comparison", runtime: "Runtime", out: Path | None) -> None:
    from evals.report.files import write
    from evals.report.terminal import comparison_table

    folder = out or runtime.settings.home / "evals" / f"{comparison.a.run_id[:8]}-{comparison.b.run_id[:8]}"
    page = write(comparison, folder)
    show(comparison_table(comparison), f"report: {page}")
