"""The `rag` command: ingest, search, ask, collections, trace, index, ledger.

Knows options and output. Knows nothing of how any of it is done.
"""

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.markup import escape

from prompts.command import Command, show
from prompts.errors import GroundwireError
from prompts.terminal import Printable, printable

if TYPE_CHECKING:
    from datetime import datetime

    from rag.pipeline import Pipeline
    from rag.runtime import Runtime
    from rag.trace import Trace
    from rag.types import Filter
    from rag.variant import Mode, Variant

app = Command(help="Answers from your documents, each proved against them.")
collections = typer.Typer(invoke_without_command=True, help="List the collections, or remove one.")
app.add_typer(collections, name="collections")
index = typer.Typer(no_args_is_help=True, help="The index generations of a collection.")
app.add_typer(index, name="index")
ledger = typer.Typer(no_args_is_help=True, help="The database of documents, traces and everything else that is not derived.")
app.add_typer(ledger, name="ledger")

ChannelName = Literal["ask", "chat", "openai", "evals", "shadow"]
OutcomeName = Literal["answered", "refused", "failed", "timed_out", "disconnected"]
CollectionName = Annotated[str, typer.Option("--collection", "-c", help="The collection.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Print JSON instead, a line for each.")]
Where = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only passages with this metadata; repeat for more.")]


@app.command()
def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files, folders and globs.")],
    collection: CollectionName = "default",
    prune: Annotated[bool, typer.Option(help="Remove the documents of files under PATHS that are gone.")] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where files are parsed, cut and embedded: this process, or Ray's.")
    ] = "local",
    json: Json = False,
) -> None:
    """Read documents into a collection; what has not changed is not embedded again. Exits with 1 where something was quarantined that is
    no duplicate.
    """
    from rag.bars import progress_bars
    from rag.ingest.ingest import ingest as run
    from rag.ingest.quality import Reason
    from rag.ingest.terminal import render
    from rag.runtime import Runtime
    from rag.settings import Settings

    with Runtime(Settings()) as runtime:
        try:
            with progress_bars() as progress:
                report = run(paths, collection, runtime, engine=engine, prune=prune, progress=progress)
        except KeyboardInterrupt:
            typer.echo(f"stopped: collection {collection} is as it was, and the same command goes on from here", err=True)
            raise typer.Exit(130) from None
        show(report.model_dump_json() if json else render(report))
    if any(flaw.reason is not Reason.DUPLICATE for flaw in report.quarantined):
        raise typer.Exit(1)


@app.command()
def search(
    question: str,
    collection: CollectionName = "default",
    k: Annotated[int, typer.Option("--k", "-k", min=1, help="Passages to show.")] = 5,
    mode: Annotated[str, typer.Option(help="hybrid, dense or lexical.")] = "hybrid",
    where: Where = None,
    json: Json = False,
) -> None:
    """Show the passages that a question finds."""
    from pydantic import TypeAdapter

    from rag.console import passage_table
    from rag.types import Passage

    with _runtime() as runtime:
        retriever = runtime.retriever(collection)
        vector = retriever.embed(question)
        wanted = _filter(where)
        found = retriever.search(question, vector, mode=_mode(mode), top_k=k, candidates=max(100, k), where=wanted)
        if not found.passages:
            _note_unknown(runtime, collection, wanted)
    if json:
        show(TypeAdapter(tuple[Passage, ...]).dump_json(found.passages).decode())
    else:
        show(
            passage_table(found.passages),
            f"relevance {found.relevance:.2f}" + ("" if found.relevant else ": too low to answer from"),
        )


@app.command()
def ask(
    questions: Annotated[list[str], typer.Argument(help="One or more questions.")],
    collection: CollectionName = "default",
    variant: Annotated[
        str | None, typer.Option(help="Answer by this variant.", show_default="hosted with a provider's --model, else default")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Answer with this model instead, as in openai/gpt-4.1-mini.")] = None,
    where: Where = None,
    json: Json = False,
) -> None:
    """Answer questions from a collection, with citations, verdicts, tokens, cost and latency."""
    import asyncio

    from rag.variant import DEFAULT, standard

    if not all(question.strip() for question in questions):
        raise GroundwireError("the question is empty", "ask something")
    with _runtime() as runtime:
        chosen = runtime.variant(variant or standard(runtime.settings.variants, model))
        if not variant and chosen.name != DEFAULT:
            typer.echo(f"note: {model} answers by the variant {chosen.name}; --variant names another", err=True)
        if model:
            chosen = chosen.answered_by(model)
        good = asyncio.run(_ask_all(runtime, chosen, collection, questions, _filter(where), json))
    raise typer.Exit(0 if good else 1)


async def _ask_all(
    runtime: "Runtime", variant: "Variant", collection: str, questions: list[str], where: "Filter", json: bool
) -> bool:
    from rag.trace import Channel

    try:
        pipeline = await runtime.pipeline(variant, collection)
        good = True
        for question in questions:
            if json:
                trace = await pipeline.answer(question, Channel.ASK, where)
                show(trace.model_dump_json())
            else:
                trace = await _show(pipeline, question, where)
            if not trace.passages:
                _note_unknown(runtime, collection, where)
            good = good and trace.succeeded
        return good
    finally:
        await runtime.router.close()


@collections.callback()
def list_collections(context: typer.Context, json: JsonLines = False) -> None:
    """List the collections, with what is in them."""
    from json import dumps

    from rag.console import collection_table

    if context.invoked_subcommand:
        return
    with _runtime() as runtime:
        found = [(collection, *runtime.corpus.count(collection.name)) for collection in runtime.corpus.collections()]
    if json:
        show(*(dumps({**each._asdict(), "documents": documents, "chunks": chunks}) for each, documents, chunks in found))
    else:
        show(collection_table(found))


@collections.command()
def remove(
    name: Annotated[str, typer.Argument(help="The collection.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove a collection with its documents, vectors and index; the traces of what was asked of it stay."""
    with _runtime() as runtime:
        there = runtime.corpus.collection(name)
        count, _ = runtime.corpus.count(name)
        documents = f"{count:,} document{'' if count == 1 else 's'}"
        if not yes:
            typer.confirm(f"Remove collection {name} with its {documents} for good?", abort=True)
        generations = [generation.id for generation in runtime.store.generations(name)]
        runtime.corpus.remove(there)
        for generation in generations:
            runtime.store.drop(name, generation)
    show(f"collection {name} was removed, with {documents}")


@app.command()
def trace(
    id: Annotated[str | None, typer.Argument(help="A trace's id, or its beginning.")] = None,
    since: Annotated[str, typer.Option(help="As in 30m, 12h, 1d.")] = "1d",
    channel: Annotated[ChannelName | None, typer.Option(help="Only those that came in there.")] = None,
    outcome: Annotated[OutcomeName | None, typer.Option(help="Only those that ended so.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
    json: JsonLines = False,
) -> None:
    """Show one trace, or list the latest."""
    from rag.console import trace_page, trace_table
    from rag.ledger.traces import Selection
    from rag.trace import Channel, Outcome

    with _runtime() as runtime:
        if id:
            found = runtime.traces.get(id)
            show(found.model_dump_json() if json else trace_page(found))
        else:
            wanted = Selection(
                since=_ago("--since", since), channel=channel and Channel(channel), outcome=outcome and Outcome(outcome)
            )
            latest = runtime.traces.latest(limit, wanted)
            show(*(found.model_dump_json() for found in latest) if json else (trace_table(latest),))


@index.command("list")
def list_generations(collection: CollectionName = "default", json: Json = False) -> None:
    """List the generations of a collection; the current one is marked."""
    from pydantic import TypeAdapter

    from rag.console import generation_table
    from rag.stores.base import Generation

    with _runtime() as runtime:
        current = runtime.corpus.collection(collection).generation
        generations = tuple(runtime.store.generations(collection))
    show(TypeAdapter(tuple[Generation, ...]).dump_json(generations).decode() if json else generation_table(generations, current))


@index.command()
def verify(collection: CollectionName = "default") -> None:
    """Compare every byte of every generation with its checksum."""
    with _runtime() as runtime:
        runtime.corpus.collection(collection)
        for generation in runtime.store.generations(collection):
            runtime.store.verify(collection, generation.id)
            show(f"{generation.id}: {generation.chunks} chunks, all as it was sealed")


@index.command()
def use(generation: str, collection: CollectionName = "default") -> None:
    """Make another generation the current one."""
    from rag.ingest.ingest import use as run

    with _runtime() as runtime:
        runtime.store.verify(collection, generation)
        run(runtime.corpus.collection(collection), generation, runtime)
    show(f"{collection} is now searched in {generation}")


@index.command()
def prune(
    collection: CollectionName = "default",
    keep: Annotated[int, typer.Option(min=0, help="Older generations to keep, newest first.")] = 1,
) -> None:
    """Remove generations that are older than the current one, and the vectors of texts that are in no collection any more."""
    from rag.ledger.vectors import drop_unnamed

    with _runtime() as runtime:
        current = runtime.corpus.collection(collection).generation
        # A newer one than the current may be an ingest's that is about to make it current.
        older = [generation.id for generation in runtime.store.generations(collection) if generation.id < (current or "")]
        for generation in older[: max(0, len(older) - keep)]:
            runtime.store.drop(collection, generation)
            show(f"removed {generation}")
        dropped = drop_unnamed(runtime.engine)
        if dropped:
            show(f"removed {dropped:,} vectors of texts that are in no collection any more")
        if dropped is None:
            typer.echo("note: vectors stay while an ingest runs, which may need them; run this again when it is done", err=True)


@index.command()
def copy(
    to: Annotated[str, typer.Option(help="A folder, or weaviate://HOST:PORT.")],
    collection: CollectionName = "default",
) -> None:
    """Copy the current generation into another store, embedding nothing, and compare what both find."""
    from contextlib import closing
    from shlex import quote

    from rag.bars import progress_bars
    from rag.progress import Stage
    from rag.stores import open_store
    from rag.stores.copying import copy as run

    with _runtime() as runtime, closing(open_store(to)) as target, progress_bars() as progress:
        current = runtime.corpus.collection(collection).generation
        if current is None:
            raise GroundwireError(f"collection {collection} is empty", "there is nothing to copy")
        with closing(runtime.store.open(collection, current)) as original:
            agreement = run(original, target, lambda done, total: progress(Stage.COPY, done, total))
            chunks = original.generation.chunks
        target.publish(collection, current)
    show(
        f"{current}: {chunks} chunks are in {to}, to the byte",
        f"of the best passages here, {agreement.dense:.0%} by vectors and {agreement.lexical:.0%} by words are the best there",
        f"set GROUNDWIRE_INDEX={quote(to)} to search there",
    )


@index.command()
def rebuild(collection: CollectionName = "default") -> None:
    """Build a generation from the ledger, embedding nothing, and make it the current one."""
    from rag.bars import progress_bars
    from rag.ingest.ingest import rebuild as run

    with _runtime() as runtime, progress_bars() as progress:
        generation = run(collection, runtime, progress=progress)
    show(f"{collection} is now searched in {generation.id}")


@ledger.command("copy")
def copy_ledger(to: Annotated[str, typer.Option("--to", metavar="URL", help="As GROUNDWIRE_LEDGER is written.")]) -> None:
    """Copy the ledger into an empty one: all of it, compared row by row, or nothing. Servers that write should be stopped before."""
    from shlex import quote

    from rag.bars import progress_bars
    from rag.ledger.copying import copy
    from rag.ledger.database import opened
    from rag.settings import Settings

    with opened(Settings().existing().ledger_url) as source, opened(to) as target, progress_bars() as progress:
        rows = copy(source, target, progress)
        told = {name: value for name, value in target.url.query.items() if "password" not in name}
        place = target.url.set(drivername=target.dialect.name, query=told).render_as_string()
    show(*(f"{count:>12,}  {table}" for table, count in rows.items()))
    show(f"every row arrived as it was; now set GROUNDWIRE_LEDGER={quote(place)} for every process")


@ledger.command("prune")
def prune_ledger(
    older: Annotated[str | None, typer.Option(metavar="AGE", help="Traces that are older go, as in 90d.")] = None,
    trace: Annotated[str | None, typer.Option(metavar="ID", help="Only this trace.")] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="Only what was asked with this API key.")] = None,
    collection: Annotated[str | None, typer.Option(metavar="NAME", help="Only what was asked of this collection.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove traces and what was said of them: old ones, or a single one, one key's or one collection's of any age.

    Those that an evaluation's results name stay. Servers may go on meanwhile.
    """
    from rich.filesize import decimal

    from rag.bars import progress_bars
    from rag.ledger.database import opened
    from rag.ledger.retention import Only, obstacle, prunable, prune
    from rag.settings import Settings

    only = Only(trace, key, collection)
    if older is None and not any(only):
        raise GroundwireError("it is not said which traces are to go", "name --older, --trace, --key or --collection")
    before = _ago("--older", older or "0d")
    with opened(Settings().existing().ledger_url) as engine, progress_bars() as progress:
        hindered = obstacle(engine, before, only)
        pruned = prunable(engine, before, only) if dry_run else prune(engine, before, progress, only)
    verb = "would be removed" if dry_run else "were removed"
    show(f"{pruned.traces:,} traces ({decimal(pruned.bytes)}) and {pruned.feedback:,} entries of feedback {verb}")
    if hindered:
        typer.echo(f"note: {hindered}", err=True)


def _runtime() -> "Runtime":
    """Of what is there: only an ingest makes a home."""
    from rag.runtime import Runtime
    from rag.settings import Settings

    return Runtime(Settings().existing())


async def _show(pipeline: "Pipeline", question: str, where: "Filter") -> "Trace":
    """Ask, and print the answer as it arrives."""
    from contextlib import aclosing

    from rich.console import Console

    from rag.console import answer_details
    from rag.events import Delta, Done
    from rag.trace import Channel

    console = Console()
    console.print(printable(f"\n[bold]{escape(question)}[/bold]"), highlight=False)
    async with aclosing(pipeline.stream(question, Channel.ASK, where)) as events:
        async for event in events:
            if isinstance(event, Delta):
                console.print(printable(event.text), end="", markup=False, highlight=False, soft_wrap=True)
            elif isinstance(event, Done):
                console.print("\n")
                console.print(Printable(answer_details(event.trace)))
                return event.trace
    raise AssertionError("a stream ends with Done")


def _filter(where: list[str] | None) -> "Filter":
    """`["lang=en", "year=2024"]` as a filter: repeated keys match any of their values, numbers and truth values as such."""
    import json

    found: dict[str, list[str | int | float | bool]] = {}
    for pair in where or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise GroundwireError(f"--where {pair} is not KEY=VALUE", "write it as in --where year=2024")
        try:
            parsed = json.loads(value, parse_constant=str)
        except ValueError:
            parsed = value
        found.setdefault(key, []).append(parsed if isinstance(parsed, str | int | bool) or _finite(parsed) else value)
    return found


def _note_unknown(runtime: "Runtime", collection: str, where: "Filter") -> None:
    """Tell which keys of a filter that nothing has: what is misspelt is no reason to take a collection for empty."""
    there = runtime.corpus.metadata_keys(collection) if where else set()
    for key in where.keys() - there:
        has = f"there are {', '.join(sorted(there))}" if there else "there are no metadata"
        typer.echo(f"note: no document of {collection} has {key}: {has}", err=True)


def _finite(parsed: object) -> bool:
    from math import isfinite

    return isinstance(parsed, float) and isfinite(parsed)


def _mode(name: str) -> "Mode":
    from typing import get_args

    from rag.variant import Mode

    if name not in get_args(Mode):
        raise GroundwireError(f"search mode {name} does not exist", f"take one of {', '.join(get_args(Mode))}")
    return cast("Mode", name)


def _ago(option: str, age: str) -> "datetime":
    """`30m`, `12h` or `1d` before now; what is before all time is its beginning."""
    from datetime import UTC, datetime, timedelta

    units = {"m": "minutes", "h": "hours", "d": "days"}
    if not age[:-1].isdecimal() or age[-1:] not in units:
        raise GroundwireError(f"{option} {age} is no time span", "write it as in 30m, 12h or 1d")
    try:
        return datetime.now(UTC) - timedelta(**{units[age[-1]]: int(age[:-1])})
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
