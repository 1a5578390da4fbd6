"""How passages, answers and traces look in a terminal.

Knows rich and colours. Knows nothing of where what it shows comes from.
"""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rag.answer.citations import citations
from rag.figures import milliseconds, price
from rag.ledger.corpus import Collection, Summary
from rag.llms.base import Attempt, Usage
from rag.stores.base import Generation
from rag.trace import Outcome, Trace
from rag.types import Chunk, Claim, Passage, Verdict

VERDICT = {
    Verdict.SUPPORTED: ("green", "✓"),
    Verdict.UNCERTAIN: ("yellow", "?"),
    Verdict.UNSUPPORTED: ("red", "✗"),
    Verdict.CONTRADICTED: ("bold red", "✗"),
}
OUTCOME = {
    Outcome.ANSWERED: "green",
    Outcome.REFUSED: "yellow",
    Outcome.FAILED: "red",
    Outcome.TIMED_OUT: "red",
    Outcome.DISCONNECTED: "red",
    None: "dim",
}


def passage_table(passages: Sequence[Passage]) -> Table:
    """One row a passage, best first."""
    table = Table(box=None, pad_edge=False, show_header=True, header_style="dim")
    for name, justify in (("#", "right"), ("score", "right"), ("cosine", "right"), ("bm25", "right")):
        table.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("document", style="cyan", ratio=1, overflow="fold")
    table.add_column("text", ratio=3)
    for passage in passages:
        place = " > ".join(dict.fromkeys([passage.document_id, *passage.headings]))
        table.add_row(
            str(passage.number),
            f"{passage.score:.3f}",
            _score(passage.dense),
            _score(passage.lexical),
            escape(place),
            _start(passage.text),
        )
    return table


def answer_details(trace: Trace) -> Group:
    """What stands below an answer: its claims, the passages it cites or was judged by, and what it took."""
    parts: list[RenderableType] = []
    if trace.claims:
        parts += [Text("Claims", "bold"), Padding(claim_table(trace.claims), (0, 0, 0, 2))]
    elif trace.outcome is Outcome.ANSWERED:
        parts.append(Text("Nothing in it could be checked.", "yellow"))
    shown = {number for citation in citations(trace.answer) for number in citation.numbers}
    shown |= {claim.evidence.passage for claim in trace.claims if claim.evidence}
    if shown:
        parts.append(Text("Passages", "bold"))
        parts += [Text(f"  [{p.number}] {place(p)}", "cyan") for p in trace.passages if p.number in shown]
    parts.append(summary(trace))
    return Group(*parts)


def claim_table(claims: Iterable[Claim]) -> Table:
    """One row a claim: its verdict, probability (or score, where that is not known), text and why."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=3)
    table.add_column(style="dim", ratio=2)
    for claim in claims:
        style, mark = VERDICT[claim.verdict]
        reason = claim.reason + "".join(f"; does not rest on [{number}]" for number in claim.miscited)
        support = claim.score if claim.probability is None else claim.probability
        table.add_row(Text(f"{mark} {claim.verdict}", style), f"{support:.2f}", Text(claim.text), Text(reason))
    return table


def summary(trace: Trace) -> Text:
    """Outcome, model, tokens, cost, latency and the trace's id, on a line or two."""
    line = Text()
    line.append(trace.outcome or "running", OUTCOME[trace.outcome])
    line.append(f" ({trace.reason})" if trace.reason else "", "dim")
    line.append(f" · {trace.answered_by or 'no model'} · {_tokens(trace.usage)} · {_cost(trace)}")
    line.append(f" · first text {milliseconds(trace.first_token_ms)}, whole answer {milliseconds(trace.total_ms)}\n")
    line.append(f"trace {trace.id}", "dim")
    return line


def trace_list(traces: Iterable[Trace]) -> Group:
    """Three lines a trace, within 80 columns: its id, outcome and time; the question; its figures."""
    return Group(*(part for trace in traces for part in _listed(trace)))


def _listed(trace: Trace) -> Iterator[RenderableType]:
    outcome = ((trace.outcome or "running").replace("_", " "), OUTCOME[trace.outcome])
    begun = (f"{trace.created_at[:16].replace('T', ' ')} UTC", "dim")
    yield Text.assemble((trace.id, "cyan"), "  ", outcome, "  ", begun)
    yield Padding(_start(trace.question), (0, 0, 0, 2))
    figures = (trace.variant.name, _tokens(trace.usage), _cost(trace), milliseconds(trace.total_ms))
    yield Padding(Text(" · ".join(figures), "dim"), (0, 0, 0, 2))


def collection_table(collections: Iterable[tuple[Collection, int, int]]) -> Table:
    """One row a collection, with its documents and chunks."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("collection", style="cyan")
    for name in ("documents", "chunks"):
        table.add_column(name, justify="right")
    for name in ("embedder", "generation"):
        table.add_column(name)
    for collection, documents, chunks in collections:
        table.add_row(collection.name, f"{documents:,}", f"{chunks:,}", collection.embedder, collection.generation or "none")
    return table


def document_table(documents: Iterable[Summary]) -> Table:
    """Two lines a document: its id and title, then its source and metadata."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("document", ratio=1, overflow="fold")
    for name in ("chunks", "language"):
        table.add_column(name, justify="right", no_wrap=True)
    for document in documents:
        source = document.source if document.source != document.id else ""
        below = ", ".join(filter(None, (source, *(f"{key}={value}" for key, value in document.metadata.items()))))
        head = Text.assemble(
            (document.id, "cyan"), f"  {document.title}" if document.title else "", "\n" if below else "", (below, "dim")
        )
        table.add_row(head, f"{document.chunks:,}", document.language)
    return table


def chunk_list(chunks: Iterable[Chunk]) -> Group:
    """For each chunk where it stands, and its text."""
    return Group(*(Text.assemble((place(chunk), "cyan"), f"\n{chunk.text}\n") for chunk in chunks))


def generation_table(generations: Iterable[Generation], current: str | None) -> Table:
    """Two lines a generation, oldest first: its id and what is in it, then its embedder."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("generation", width=40)
    for name in ("documents", "chunks"):
        table.add_column(name, justify="right")
    table.add_column("languages")
    table.add_column("")
    for generation in generations:
        table.add_row(
            Text.assemble((generation.id, "cyan"), "\n", (generation.embedder, "dim")),
            str(generation.documents),
            str(generation.chunks),
            " ".join(generation.languages),
            Text("current", "green") if generation.id == current else "",
        )
    return table


def trace_page(trace: Trace) -> Group:
    """One trace, whole: question, passages, messages as sent, attempts, answer, claims, timings and versions."""
    versions = {
        "collection": trace.collection,
        "settings": trace.variant.model_dump_json(),
        **trace.versions.model_dump(exclude={"prompts"}),
        **trace.versions.prompts,
    }
    return Group(
        Text("Question", "bold"),
        Text(f"  {trace.question}"),
        Text("Passages", "bold"),
        Padding(passage_table(trace.passages), (0, 0, 0, 2)),
        Text(f"  left out: {len(trace.left_out)}", "dim"),
        Text("Messages as sent", "bold"),
        *(Padding(Text.assemble((message.role, "magenta"), "\n", message.content), (0, 0, 0, 2)) for message in trace.messages),
        Text("Draft", "bold"),
        Padding(Text(trace.draft), (0, 0, 0, 2)),
        *([Text("Withheld", "bold"), Padding(claim_table(trace.withheld), (0, 0, 0, 2))] if trace.withheld else ()),
        Text("Answer", "bold"),
        Padding(Text(trace.answer), (0, 0, 0, 2)),
        answer_details(trace),
        Text("Attempts", "bold"),
        Padding(_attempt_table(trace), (0, 0, 0, 2)),
        Text("Time", "bold"),
        Padding(waterfall(trace), (0, 0, 0, 2)),
        Text("Versions", "bold"),
        Padding(_pairs(versions), (0, 0, 0, 2)),
    )


def waterfall(trace: Trace) -> Table:
    """A bar a stage, as long as its share of the whole."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    whole = max(trace.total_ms or sum(trace.stages.values()), 0.001)
    for stage, spent in trace.stages.items():
        table.add_row(stage, milliseconds(spent), Text("█" * max(1, round(40 * spent / whole)), "blue"))
    return table


def place(passage: Passage | Chunk) -> str:
    """Where a passage stands, for people: document, headings, page, characters."""
    path = " > ".join(dict.fromkeys(part for part in (passage.title, *passage.headings) if part))
    page = f"page {passage.page}" if passage.page else ""
    return f"{passage.document_id} ({', '.join(filter(None, (path, page, f'characters {passage.start}-{passage.end}')))})"


def _attempt_table(trace: Trace) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("purpose", "model", "tokens", "cost", "first token", "total", "end"):
        table.add_column(name)
    for attempt in trace.attempts:
        table.add_row(
            attempt.purpose,
            attempt.model,
            f"{attempt.usage.prompt:,} + {attempt.usage.completion:,}",
            _cost(attempt),
            milliseconds(attempt.first_token_ms),
            milliseconds(attempt.total_ms),
            Text(attempt.error or ("went on beyond max_tokens" if attempt.overrun else attempt.finish_reason or "")),
        )
    return table


def _pairs(pairs: dict[str, str]) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in pairs.items():
        table.add_row(name, value)
    return table


def _start(text: str, length: int = 220) -> Text:
    line = " ".join(text.split())
    return Text(line if len(line) <= length else f"{line[:length]}…")


def _score(score: float | None) -> str:
    return "" if score is None else f"{score:.3f}"


def _tokens(usage: Usage) -> str:
    return f"{usage.prompt:,} + {usage.completion:,} tokens"


def _cost(of: Trace | Attempt) -> str:
    return price(of.cost_nanodollars, estimated=of.estimated)
