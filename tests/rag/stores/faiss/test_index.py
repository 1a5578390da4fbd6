"""The FAISS index: the inverted one agrees with the exact scan."""

from collections.abc import Iterator

import numpy as np
import pytest

from rag.stores.base import Index
from rag.stores.faiss.store import FaissStore
from tests.rag.stores.faiss.conftest import chunk, nothing

CHUNKS = 3000


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    random = np.random.default_rng(7)
    topics = random.standard_normal((60, 24))
    values = (topics[random.integers(60, size=CHUNKS)] + 0.5 * random.standard_normal((CHUNKS, 24))).astype(np.float32)
    values[1::50] = values[0]
    return values / np.linalg.norm(values, axis=1, keepdims=True)


@pytest.fixture(scope="module", params=[CHUNKS, 1000], ids=["flat", "inverted"])
def index(request: pytest.FixtureRequest, vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    store = FaissStore(tmp_path_factory.mktemp("index"), exact_limit=request.param)
    blocks = (vectors[start : start + 700] for start in range(0, CHUNKS, 700))
    generation = store.build("guide", "random", map(chunk, range(CHUNKS)), blocks, nothing)
    index = store.open("guide", generation.id)
    yield index
    index.close()


def nearest(vectors: np.ndarray, query: np.ndarray, where: dict[str, list[int]], k: int) -> list[int]:
    allowed = [position for position in range(CHUNKS) if all(chunk(position).metadata[key] in where[key] for key in where)]
    return [allowed[row] for row in np.lexsort((allowed, -np.round(vectors[allowed] @ query, 6)))][:k]


@pytest.mark.parametrize("where", [{"hundred": [3]}, {"even": [False], "hundred": [1, 2, 29]}, {"hundred": list(range(10))}])
@pytest.mark.parametrize("k", [1, 10, 59, 61, 100])
def test_a_selective_filter_is_scanned_exactly(index: Index, vectors: np.ndarray, where: dict[str, list[int]], k: int) -> None:
    for query in (vectors[0], vectors[5]):
        assert [hit.position for hit in index.dense(query, k, where)] == nearest(vectors, query, where, k)


@pytest.mark.parametrize("where", [{}, {"even": [True]}])
def test_most_of_the_nearest_are_found_without_one(index: Index, vectors: np.ndarray, where: dict[str, list[int]]) -> None:
    found = total = 0
    for query in vectors[2:400:20]:
        hits = index.dense(query, 10, where)
        assert [hit.score for hit in hits] == pytest.approx([float(vectors[hit.position] @ query) for hit in hits], abs=1e-5)
        found += len({hit.position for hit in hits} & set(nearest(vectors, query, where, 10)))
        total += 10
    assert found >= 0.9 * total


@pytest.mark.parametrize("k", [CHUNKS - 1, CHUNKS, CHUNKS + 1])
def test_every_chunk_can_be_asked_for(index: Index, vectors: np.ndarray, k: int) -> None:
    hits = index.dense(vectors[0], k, {})
    assert len({hit.position for hit in hits}) == min(k, CHUNKS)
    assert [hit.position for hit in hits[:60]] == [0, *range(1, CHUNKS, 50)][:60]
