"""The same generations searched in FAISS and in Weaviate, and Weaviate's own hybrid beside our fusion of its legs: nDCG@10 over sets.

Knows sets and the two stores. Vectors are brought from the one to the other, so nothing differs but the search.
"""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, get_args

from rich.console import Console
from rich.table import Table

from evals.jsonl import read
from evals.ranking import ndcg
from evals.retrieval import CANDIDATES, CORPUS, QUESTIONS, Question, sets
from rag.embedders.base import Vectors
from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.settings import Settings
from rag.stores import open_store
from rag.stores.base import Index
from rag.stores.copying import copy
from rag.stores.weaviate.address import Address
from rag.text import analyzer
from rag.variant import Mode

ALPHAS = (0.25, 0.5, 0.75)
"""Weights of the dense leg in Weaviate's own hybrid."""
MODES: tuple[Mode, ...] = get_args(Mode)


class Asked(NamedTuple):
    """The questions of a set that have a known answer."""

    questions: list[Question]
    vectors: Vectors
    """Shape (questions, dimensions)."""
    documents: list[str]
    """Ids, by the position of each chunk."""


class Compared(NamedTuple):
    """One set, in nDCG@10."""

    here: list[float]
    """FAISS, by `MODES`."""
    there: list[float]
    """Weaviate, by `MODES`."""
    weight: float
    """Of the dense leg, learnt."""
    native: list[float]
    """Weaviate's own hybrid, at that weight and at `ALPHAS`."""


def hybrids(folder: Path, home: Path, place: str, console: Console) -> None:
    """Every set of a folder; what was embedded into `home` before is not embedded again."""
    found = {path.name: compared(path, home, place) for path in sets(folder)}
    found["mean"] = Compared(*map(_mean, zip(*found.values(), strict=True)))
    legs = Table("set", *(f"{mode} {what}" for mode in MODES for what in ("FAISS", "Weaviate", "difference")))
    both = Table("set", "weight", "ours", "its own at that weight", *(f"at {alpha}" for alpha in ALPHAS))
    legs.title, both.title = "nDCG@10, by document", "nDCG@10 of hybrids over Weaviate's legs"
    for name, (here, there, weight, native) in found.items():
        cells = ((f"{one:.3f}", f"{other:.3f}", f"{other - one:+.4f}") for one, other in zip(here, there, strict=True))
        legs.add_row(name, *(cell for mode in cells for cell in mode))
        both.add_row(name, f"{weight:.2f}", *(f"{figure:.3f}" for figure in (there[MODES.index("hybrid")], *native)))
    console.print(legs, both)


def compared(path: Path, home: Path, place: str) -> Compared:
    """One set, ingested into a home and copied to Weaviate."""
    with Runtime(Settings(home=home, ledger=None, index=None)) as runtime, closing(open_store(place)) as store:
        ingest([str(path / CORPUS)], path.name, runtime)
        here = runtime.retriever(path.name)
        generation = here.index.generation
        copy(here.index, store, lambda done, total: None)
        there = store.open(path.name, generation.id)
        questions = [question for _, question in read(path / QUESTIONS, Question) if question.gains]
        asked = Asked(
            questions,
            here.embedder.embed([question.query for question in questions]),
            [chunk.document_id for block in here.index.blocks() for chunk in block.chunks],
        )
        weight = generation.fusion.dense_weight
        with opened(place, generation.id) as kept:
            native = [_native(asked, there, kept, alpha) for alpha in (weight, *ALPHAS)]
        return Compared(_ours(asked, here.index), _ours(asked, there), weight, native)


@contextmanager
def opened(place: str, generation_id: str) -> Iterator[Any]:
    """A generation as a collection of a plain client."""
    from weaviate import connect_to_custom

    node = Address.parse(place).nodes[0]
    with connect_to_custom(node.host, node.port, False, node.host, node.grpc, False, skip_init_checks=True) as client:
        told = client.collections.list_all()
        (name,) = [name for name, config in told.items() if generation_id in (config.description or "")]
        yield client.collections.use(name)


def _ours(asked: Asked, index: Index) -> list[float]:
    """By `MODES`; a leg alone is ranked as it comes."""
    fuse = index.generation.fusion.fuse
    found: dict[Mode, list[list[int]]] = {mode: [] for mode in MODES}
    for question, vector in zip(asked.questions, asked.vectors, strict=True):
        dense = index.dense(vector, CANDIDATES, {})
        lexical = index.lexical(question.query, CANDIDATES, {})
        for mode in MODES:
            fused = fuse(dense if mode != "lexical" else [], lexical if mode != "dense" else [])
            found[mode].append([hit.position for hit in fused])
    return [_ndcg_10(asked, found[mode]) for mode in MODES]


def _native(asked: Asked, index: Index, kept: Any, alpha: float) -> float:
    """For the same terms, the same vectors and as many results, by `relativeScoreFusion`."""
    from weaviate.classes.query import HybridFusion

    def found(question: str, vector: Vectors) -> list[int]:
        answer = kept.query.hybrid(
            " ".join(analyzer.asked(question, index.generation.languages)),
            query_properties=["terms"],
            vector=vector.tolist(),
            alpha=alpha,
            fusion_type=HybridFusion.RELATIVE_SCORE,
            limit=CANDIDATES,
            return_properties=[],
        )
        return [each.uuid.int for each in answer.objects]

    return _ndcg_10(
        asked, [found(question.query, vector) for question, vector in zip(asked.questions, asked.vectors, strict=True)]
    )


def _ndcg_10(asked: Asked, found: Iterable[Sequence[int]]) -> float:
    """Of documents, each where its best chunk stands."""
    rankings = (list(dict.fromkeys(asked.documents[position] for position in positions)) for positions in found)
    judged = zip(rankings, asked.questions, strict=True)
    return statistics.fmean(ndcg(ranking, question.gains, 10) for ranking, question in judged)


def _mean(figures: Sequence[Any]) -> Any:
    """Of numbers, or of lists of them, place by place."""
    if isinstance(figures[0], list):
        return [statistics.fmean(column) for column in zip(*figures, strict=True)]
    return statistics.fmean(figures)
