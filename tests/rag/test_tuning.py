"""What an index teaches about itself: the same index the same thing, and a leg that finds nothing no weight."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from rag.embedders.base import Embedder, Vectors
from rag.embedders.hashing import HashingEmbedder
from rag.fusion import Fusion
from rag.relevance import evidence
from rag.stores import open_store
from rag.stores.base import Index, Tuning
from rag.tuning import tune
from rag.types import Chunk
from tests.chunks import chunk

PARTS = ("pump", "valve", "tank", "filter", "sensor", "motor", "gasket", "boiler")
ACTS = ("replaces", "inspects", "cleans", "paints", "lubricates", "removes", "welds", "tests")
STAFF = ("operator", "welder", "engineer", "apprentice")
TEXTS = [
    f"The {who} {act} the {part} every {number} days. A worn {part} leaks after the {who} {act} it."
    for number, (part, act, who) in enumerate(itertools.product(PARTS, ACTS, STAFF), 2)
]


class Blind(HashingEmbedder):
    """An embedder that does not know the language: every text is the same to it."""

    identity = "hash:blind@1"

    def embed(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        vectors[:, 0] = 1
        return vectors


def chunks(texts: Sequence[str]) -> Iterator[Chunk]:
    for number, text in enumerate(texts):
        yield chunk(number, text, document_id=f"{number}", tokens=9)


def build(folder: Path, texts: Sequence[str], embedder: Embedder) -> tuple[Index, Tuning]:
    store, tuned = open_store(folder), []

    def keep(index: Index) -> Tuning:
        tuned.append(tune(index, embedder))
        return tuned[-1]

    generation = store.build("guide", embedder.identity, chunks(texts), [embedder.embed(texts)], keep)
    return store.open("guide", generation.id), tuned[0]


def test_it_is_sealed_and_the_same_again(tmp_path: Path) -> None:
    index, tuned = build(tmp_path, TEXTS, HashingEmbedder())
    assert index.generation.fusion == tuned.fusion
    assert index.generation.relevance == tuned.relevance
    assert tune(index, HashingEmbedder()) == tuned
    index.close()


def test_an_embedder_that_does_not_know_the_language_gets_no_weight(tmp_path: Path) -> None:
    index, seeing = build(tmp_path, TEXTS, HashingEmbedder())
    index.close()
    index, blind = build(tmp_path, TEXTS, Blind())
    index.close()
    assert blind.fusion.dense_weight < 0.1 < 0.4 < seeing.fusion.dense_weight


def test_its_own_questions_pass_and_strangers_do_not(tmp_path: Path) -> None:
    index, tuned = build(tmp_path, TEXTS, HashingEmbedder())

    def passes(question: str) -> bool:
        vector = HashingEmbedder().embed([question])[0]
        dense = index.dense(vector, 10, {})
        fused = tuned.fusion.fuse(dense, index.lexical(question, 10, {}))
        best = index.chunks([hit.position for hit in fused[:3]])
        return tuned.relevance.relevant(evidence(question, ("en",), dense[0].score, best))

    assert passes("How often does the welder test the boiler?")
    assert not passes("Which orchestra performs Brahms tonight?")
    index.close()


def test_a_file_that_repeats_itself_decides_nothing(tmp_path: Path) -> None:
    """One of forty texts is most of the chunks: the collection is worth what it is without the repetition."""
    filler = "Dolor sit amet the operator and the valve and the motor and the gasket."
    plain, alone = build(tmp_path / "plain", [*TEXTS[:40], filler], HashingEmbedder())
    spoiled, tuned = build(tmp_path / "spoiled", [*TEXTS[:40], *[filler] * 4000], HashingEmbedder())
    assert tuned.relevance.threshold == pytest.approx(alone.relevance.threshold, abs=0.05)
    assert tuned.fusion == alone.fusion == Fusion()
    plain.close()
    spoiled.close()


def test_a_document_that_repeats_itself_hides_no_language(tmp_path: Path) -> None:
    said = [
        *chunks(TEXTS[:20]),
        *(one.model_copy(update={"document_id": "z", "language": "la"}) for one in chunks(["Dolor."] * 2000)),
    ]
    embedder, store = HashingEmbedder(), open_store(tmp_path)
    vectors = embedder.embed([chunk.text for chunk in said])
    assert store.build("guide", embedder.identity, said, [vectors], lambda _: Tuning()).languages == ("en", "la")


@pytest.mark.parametrize("count", [1, 2, 10])
def test_a_small_collection_is_weighed_evenly(tmp_path: Path, count: int) -> None:
    index, tuned = build(tmp_path, TEXTS[:count], HashingEmbedder())
    assert tuned.fusion == Fusion()
    assert 0 < tuned.relevance.threshold < 1
    index.close()


@pytest.mark.parametrize("text", ["¿", "a" * 5000, "防守" * 500, "# Only a heading", "| a | b |\n|---|---|\n| 1 | 2 |"])
def test_odd_chunks_teach_something(tmp_path: Path, text: str) -> None:
    index, tuned = build(tmp_path, [f"{text} {number}" for number in range(60)], HashingEmbedder())
    assert 0 <= tuned.fusion.dense_weight <= 0.9
    index.close()
