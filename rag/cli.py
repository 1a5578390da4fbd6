"""The `rag` command: search, ask, trace, and those about collections, indexes and the ledger.

Knows options and output. Knows nothing of how any of it is done.
"""

from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.markup import escape

from prompts.command import Command, show
from prompts.errors import GroundwireError
from prompts.terminal import Printable, printable
from rag.ingest import cli as content
from rag.ledger import cli as ledger
from rag.options import CollectionName, Json, JsonLines, ago, existing
from rag.stores import cli as stores

if TYPE_CHECKING:
    from rag.pipeline import Pipeline
    from rag.runtime import Runtime
    from rag.trace import Trace
    from rag.types import Filter
    from rag.variant import Mode, Variant

app = Command(help="Answers from your documents, each proved against them.")
app.command()(content.ingest)
app.command()(content.documents)
app.add_typer(content.collections, name="collections")
app.add_typer(stores.app, name="index")
app.add_typer(ledger.app, name="ledger")

ChannelName = Literal["ask", "chat", "openai", "evals", "shadow"]
OutcomeName = Literal["answered", "refused", "failed", "timed_out", "disconnected"]
Where = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Only passages with this metadata; repeat for more.")]


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

    with existing() as runtime:
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
    with existing() as runtime:
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
    from rag.console import trace_list, trace_page
    from rag.ledger.traces import Selection
    from rag.trace import Channel, Outcome

    with existing() as runtime:
        if id:
            found = runtime.traces.get(id)
            show(found.model_dump_json() if json else trace_page(found))
        else:
            wanted = Selection(
                since=ago("--since", since), channel=channel and Channel(channel), outcome=outcome and Outcome(outcome)
            )
            latest = runtime.traces.latest(limit, wanted)
            show(*(found.model_dump_json() for found in latest) if json else (trace_list(latest),))


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
    """`["lang=en", "year=2024"]` as a filter; repeated keys match any of their values."""
    found: dict[str, list[str]] = {}
    for pair in where or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise GroundwireError(f"--where {pair} is not KEY=VALUE", "write it as in --where year=2024")
        found.setdefault(key, []).append(value)
    return found


def _note_unknown(runtime: "Runtime", collection: str, where: "Filter") -> None:
    """Tell what of a filter no document has: what is misspelt is no reason to take a collection for empty."""
    from rag.stores.facets import unmet

    if not where:
        return
    lacking, there = unmet(where, runtime.corpus.metadata(collection))
    for name in lacking:
        has = f"there are {', '.join(sorted(there))}" if there else "there are no metadata"
        typer.echo(f"note: no document of {collection} has {name}" + ("" if "=" in name else f": {has}"), err=True)


def _mode(name: str) -> "Mode":
    from typing import get_args

    from rag.variant import Mode

    if name not in get_args(Mode):
        raise GroundwireError(f"search mode {name} does not exist", f"take one of {', '.join(get_args(Mode))}")
    return cast("Mode", name)
