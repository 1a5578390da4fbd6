"""The FAISS store's own promises: damage is seen, writes are whole, IVF agrees with the exact scan."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from rag.errors import GroundwireError
from rag.stores import open_store, sealed
from rag.stores.base import Index, Learnt
from rag.stores.faiss import FaissStore
from rag.types import Chunk

ROOT = Path(__file__).parents[3]
CHUNKS = 3000


def chunk(position: int) -> Chunk:
    text = f"passage {position} of the guide"
    return Chunk(
        id=f"{position:032x}",
        document_id=f"d{position}",
        source="guide.md",
        title="",
        text=text,
        start=0,
        end=len(text),
        tokens=8,
        language="en",
        metadata={"hundred": position // 100, "even": position % 2 == 0},
    )


def nothing(_: Index) -> Learnt:
    return Learnt()


@pytest.fixture
def small(tmp_path: Path) -> tuple[FaissStore, Path]:
    store = FaissStore(tmp_path)
    vectors = np.eye(4, dtype=np.float32)
    generation = store.build("guide", "hash", map(chunk, range(4)), [vectors], nothing)
    return store, tmp_path / "guide" / generation.id


def test_a_flipped_byte_is_found_in_every_file(small: tuple[FaissStore, Path]) -> None:
    store, folder = small
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert {"vectors.faiss", "passages.db", "generation.json", "manifest.json"} < {path.name for path in files}
    for path in files:
        whole = path.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            with pytest.raises(GroundwireError, match=rf"{path.name} is damaged.*rag index rebuild"):
                store.open("guide", folder.name)
        path.write_bytes(whole)
    store.open("guide", folder.name).close()


def test_a_flipped_byte_anywhere_in_the_manifest_is_found(small: tuple[FaissStore, Path]) -> None:
    store, folder = small
    manifest = folder / "manifest.json"
    whole = manifest.read_bytes()
    for place in range(0, len(whole), 7):
        manifest.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(GroundwireError, match=r"is damaged|is missing"):
            store.verify("guide", folder.name)


def test_a_missing_or_shortened_file_is_named(small: tuple[FaissStore, Path]) -> None:
    store, folder = small
    passages = folder / "passages.db"
    whole = passages.read_bytes()
    passages.write_bytes(whole[:-1])
    with pytest.raises(GroundwireError, match=r"passages\.db is damaged"):
        store.open("guide", folder.name)
    passages.unlink()
    with pytest.raises(GroundwireError, match=r"passages\.db is missing"):
        store.open("guide", folder.name)


def test_opening_and_searching_changes_no_file(small: tuple[FaissStore, Path]) -> None:
    store, folder = small
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.suffix != ".lock" and path.is_file()}
    index = store.open("guide", folder.name)
    assert [hit.position for hit in index.lexical("passage 2", 1, {})] == [2]
    index.close()
    assert {path: path.read_bytes() for path in before} == before
    store.verify("guide", folder.name)


def test_an_open_index_outlives_its_generation(small: tuple[FaissStore, Path]) -> None:
    store, folder = small
    index = store.open("guide", folder.name)
    store.drop("guide", folder.name)
    assert [hit.position for hit in index.lexical("passage 2", 1, {})] == [2]
    assert [hit.position for hit in index.dense(np.eye(4, dtype=np.float32)[3], 1, {})] == [3]
    assert index.chunks([1]) == [chunk(1)]
    index.close()


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


FILLING = """
import resource, sys, pathlib
from tests.rag.stores.test_faiss import chunk, nothing
from rag.stores import open_store
import numpy as np
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    open_store(sys.argv[1]).build("guide", "hash", map(chunk, range(2000)), [np.ones((2000, 64), np.float32)], nothing)
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize("limit", [0, 10_000, 100_000, 400_000])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FILLING, str(tmp_path), str(limit)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.startswith(f"StorageError the index in {tmp_path / 'guide'} cannot be written")
    assert "leave room" in told.stdout
    assert list((tmp_path / "guide").iterdir()) == []


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "guide").write_text("in the way")
    with pytest.raises(GroundwireError, match="cannot be written"):
        FaissStore(tmp_path).build("guide", "hash", [], [], nothing)


def test_leftovers_go_but_not_what_is_being_built(tmp_path: Path) -> None:
    leftover = tmp_path / "guide" / ".unsealed-of-the-dead"
    leftover.mkdir(parents=True)
    (leftover / "vectors.faiss").write_bytes(b"half")
    with sealed.unsealed(tmp_path / "guide") as building:
        assert not leftover.exists()
        (building / "file").write_text("first")
        with sealed.unsealed(tmp_path / "guide") as other:
            assert building.is_dir()
            (other / "file").write_text("second")
            sealed.seal(other, "2")
        sealed.seal(building, "1")
    assert sealed.names(tmp_path / "guide") == ["1", "2"]
    assert (tmp_path / "guide" / "1" / "file").read_text() == "first"


def test_a_url_is_no_folder() -> None:
    with pytest.raises(GroundwireError, match="store milvus:// is not known"):
        open_store("milvus://host")
