"""The `rag index` commands: list, verify, use, prune, copy, rebuild.

Knows options and output. Knows nothing of how an index is built.
"""

from typing import Annotated

import typer

from prompts.command import show
from prompts.errors import GroundwireError
from rag.options import CollectionName, Json, existing

app = typer.Typer(no_args_is_help=True, help="The index generations of a collection.")


@app.command("list")
def list_generations(collection: CollectionName = "default", json: Json = False) -> None:
    """List the generations of a collection; the current one is marked."""
    from pydantic import TypeAdapter

    from rag.console import generation_table
    from rag.stores.base import Generation

    with existing() as runtime:
        current = runtime.corpus.collection(collection).generation
        generations = tuple(runtime.store.generations(collection))
    show(TypeAdapter(tuple[Generation, ...]).dump_json(generations).decode() if json else generation_table(generations, current))


@app.command()
def verify(collection: CollectionName = "default") -> None:
    """Compare every byte of every generation with its checksum."""
    with existing() as runtime:
        runtime.corpus.collection(collection)
        for generation in runtime.store.generations(collection):
            runtime.store.verify(collection, generation.id)
            show(f"{generation.id}: {generation.chunks} chunks, all as it was sealed")


@app.command()
def use(generation: str, collection: CollectionName = "default") -> None:
    """Make another generation the current one."""
    from rag.ingest.ingest import use as run

    with existing() as runtime:
        runtime.store.verify(collection, generation)
        run(runtime.corpus.collection(collection), generation, runtime)
    show(f"{collection} is now searched in {generation}")


@app.command()
def prune(
    collection: CollectionName = "default",
    keep: Annotated[int, typer.Option(min=0, help="Older generations to keep, newest first.")] = 1,
) -> None:
    """Remove generations that are older than the current one, and the vectors of texts that are in no collection any more."""
    from rag.ledger.vectors import drop_unnamed

    with existing() as runtime:
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


@app.command()
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

    with existing() as runtime, closing(open_store(to)) as target, progress_bars() as progress:
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


@app.command()
def rebuild(collection: CollectionName = "default") -> None:
    """Build a generation from the ledger, embedding nothing, and make it the current one."""
    from rag.bars import progress_bars
    from rag.ingest.ingest import rebuild as run

    with existing() as runtime, progress_bars() as progress:
        generation = run(collection, runtime, progress=progress)
    show(f"{collection} is now searched in {generation.id}")
