"""The commands about validators: grounding, calibrate, drift.

Knows options and output. Knows nothing of how anything is measured.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prompts.command import show
from prompts.errors import GroundwireError

if TYPE_CHECKING:
    from evals.grounding.conformal import Excerpt
    from rag.runtime import Runtime
    from rag.validators.entailment.base import Entailment

Name = Annotated[
    str, typer.Option("--validator", metavar="NAME", help="lexical, local, or a model by name such as nli:ORG/MODEL.")
]
Seed = Annotated[int, typer.Option(min=0, help="Random seed.")]


def grounding(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Label sets: JSONL with context, response and label.")],
    validator: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="lexical, local, or a model by name; repeatable. By default lexical and local."),
    ] = None,
    language: Annotated[
        list[Path] | None, typer.Option(metavar="DIR", help="A retrieval set whose gold sentences are asked too; repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Use a random sample of so many rows of each set.")] = None,
    baselines: Annotated[bool, typer.Option("--baselines", help="Also the cosine of the default embedder.")] = False,
    seed: Seed = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown instead.")] = False,
) -> None:
    """Measure how far verdicts can be trusted, against people's labels and on errors made on purpose."""
    from evals.grounding.benchmark import measure
    from evals.report import grounding as report

    with report.watched() as progress:
        found = measure(
            folder,
            validator or ["lexical", "local"],
            limit=limit,
            seed=seed,
            baselines=baselines,
            languages=language or (),
            progress=progress,
        )
    if json or markdown:
        typer.echo(found.model_dump_json(indent=1) if json else report.markdown(found))
    else:
        show(report.grounding_table(found))


def calibrate(
    to: Annotated[Path, typer.Option("--to", metavar="FILE", help="Write the calibration here.")],
    labels: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Answers that people marked, one JSON object a line.")
    ] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Without labels: from the sentences of this collection.")
    ] = None,
    shipped: Annotated[
        Path | None, typer.Option(metavar="DIR", help="As the shipped one is made: from the licensed sets of a folder.")
    ] = None,
    validator: Name = "lexical",
    base: Annotated[str, typer.Option(help="The calibration to begin with, where labels are too few.")] = "default",
    seed: Seed = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it is there already.")] = False,
) -> None:
    """Say what a validator's scores are worth here, from labels or without, and write it down for variants to name."""
    from rich.console import Group

    from evals.grounding.calibrate import begun, write
    from evals.grounding.calibrate import calibrate as fitted
    from evals.grounding.calibrate import shipped as fitted_as_shipped
    from evals.grounding.conformal import conformal
    from evals.grounding.labels import LabelSet, load, load_sets
    from evals.grounding.transfer import transfer
    from evals.report.calibration import calibration_table, transfer_table, zones_table
    from evals.report.progress import counted
    from rag.validators.cascade import Cascade
    from rag.validators.lexical import LexicalValidator

    if sum(source is not None for source in (labels, collection, shipped)) != 1:
        raise GroundwireError("what to calibrate on is not clear", "give exactly one of --labels, --collection and --shipped")
    if to.exists() and not force:
        raise GroundwireError(f"{to} is there already", "name another file, or replace it with --force")
    command = _command()
    with counted("judging claims") as progress:
        parts = (LexicalValidator(), _entailment(validator))
        if labels is not None:
            sets = [LabelSet(labels.stem, load(labels))]
            start = begun(base, parts[1])
            found = fitted(to.stem, sets, *parts, command=command, base=start, seed=seed, progress=progress)
            calibration, page = found.calibration, calibration_table(found)
        elif shipped is not None:
            found = fitted_as_shipped(to.stem, shipped, *parts, command=command, seed=seed, progress=progress)
            carried = transfer(load_sets(shipped), *parts, seed=seed, progress=progress)
            calibration, page = found.calibration, Group(calibration_table(found), "", transfer_table(carried))
        elif collection is not None:
            with _runtime() as runtime:
                excerpts = _excerpts(runtime, collection)
            start = begun(base, parts[1])
            source = f"collection {collection}"
            cascade = Cascade(parts[0], start, parts[1])
            zones = conformal(to.stem, excerpts, cascade, start, source=source, command=command, seed=seed, progress=progress)
            calibration, page = zones.calibration, zones_table(zones)
    write(calibration, to, force=force)
    show(page, f"written: {to}")


def drift(
    collection: Annotated[str | None, typer.Option("--collection", "-c", help="Traces of this collection only.")] = None,
    variant: Annotated[str, typer.Option(help="Whose validator and calibration; only its traces count.")] = "default",
    last: Annotated[int, typer.Option(min=1, help="So many of the latest answers.")] = 1000,
) -> None:
    """Compare the probabilities of recent answers, evaluations aside, with those the calibration was fitted on.

    Exits with 1 where they drifted.
    """
    from evals.grounding.drift import Finding, recent_probabilities
    from evals.grounding.drift import drift as drifted
    from evals.report.calibration import drift_sentence, stranger_sentence
    from rag.ledger.traces import Selection
    from rag.trace import Channel
    from rag.validators.calibration import load

    with _runtime() as runtime:
        validation = runtime.variant(variant).validator
        calibration, validator = load(runtime.calibration(validation)), runtime.validator(validation)
        if calibration.fitted.reference is None:
            problem = f"calibration {validation.calibration} was made without labels: it knows no answers to compare with"
            raise GroundwireError(problem, "make one with `evals calibrate --labels`")
        if collection is not None:
            runtime.corpus.collection(collection)
        people = (channel for channel in Channel if channel is not Channel.EVALS)
        wanted = [Selection(variant=variant, collection=collection, channel=channel) for channel in people]
        traces = [trace for each in wanted for trace in runtime.traces.latest(last, each)]
        found = drifted(calibration, recent_probabilities(traces, validator)[-last:])
    show(drift_sentence(found))
    if found.finding is Finding.DRIFT and not validator.identity.startswith(f"{calibration.fitted.validator}+"):
        show(stranger_sentence(calibration, validator.identity))
    raise typer.Exit(found.finding is Finding.DRIFT)


def _entailment(validator: str) -> "Entailment | None":
    from rag.validators import LEXICAL
    from rag.validators.entailment import open_entailment

    return None if validator == LEXICAL else open_entailment(validator)


def _excerpts(runtime: "Runtime", collection: str) -> "list[Excerpt]":
    from evals.grounding.conformal import Excerpt

    runtime.corpus.collection(collection)
    return [Excerpt(chunk.document_id, chunk.text) for chunk in runtime.corpus.chunks(collection)]


def _command() -> str:
    """As it was typed, but for what does not decide the outcome."""
    import shlex
    import sys

    typed = [word for word in sys.argv[1:] if word != "--force"]
    return shlex.join([Path(sys.argv[0]).name, *typed])


def _runtime() -> "Runtime":
    from rag.runtime import Runtime
    from rag.settings import Settings

    return Runtime(Settings().existing())
