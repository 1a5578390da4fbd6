"""The commands about what collections hold: ingest, documents, collections.

Knows options and output. Knows nothing of how documents are read or stored.
"""

from typing import Annotated, Literal

import typer

from prompts.command import show
from rag.options import CollectionName, Json, JsonLines, existing

collections = typer.Typer(invoke_without_command=True, help="List the collections, or remove one.")


def ingest(
    paths: Annotated[list[str], typer.Argument(help="Files, folders and globs.")],
    collection: CollectionName = "default",
    prune: Annotated[bool, typer.Option(help="Remove the documents of files under PATHS that are gone.")] = False,
    moved: Annotated[bool, typer.Option("--moved", help="A folder lies somewhere else now, or is gone for good.")] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where files are parsed, cut and embedded: this process, or Ray's.")
    ] = "local",
    json: Json = False,
) -> None:
    """Read documents into a collection; what has not changed is not embedded again.

    Exits with 1 where something was quarantined that is no duplicate.
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
                report = run(paths, collection, runtime, engine=engine, prune=prune, moved=moved, progress=progress)
        except KeyboardInterrupt:
            typer.echo(f"stopped: collection {collection} is as it was, and the same command goes on from here", err=True)
            raise typer.Exit(130) from None
        show(report.model_dump_json() if json else render(report))
    if any(flaw.reason is not Reason.DUPLICATE for flaw in report.quarantined):
        raise typer.Exit(1)


def documents(
    id: Annotated[str | None, typer.Argument(help="A document's id: its passages are shown.")] = None,
    collection: CollectionName = "default",
    json: JsonLines = False,
) -> None:
    """List the documents of a collection, or show the passages that one was cut into, as a model is given them."""
    from json import dumps

    from rag.console import chunk_list, document_table

    with existing() as runtime:
        runtime.corpus.collection(collection)
        if id:
            chunks = runtime.corpus.document(collection, id)
            show(*(chunk.model_dump_json() for chunk in chunks) if json else (chunk_list(chunks),))
        else:
            found = runtime.corpus.listed(collection)
            show(*(dumps(each._asdict(), ensure_ascii=False) for each in found) if json else (document_table(found),))


@collections.callback()
def list_collections(context: typer.Context, json: JsonLines = False) -> None:
    """List the collections, with what is in them."""
    from json import dumps

    from rag.console import collection_table

    if context.invoked_subcommand:
        return
    with existing() as runtime:
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
    with existing() as runtime:
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
