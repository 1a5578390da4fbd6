"""The FAISS store: damage is seen, writes are whole, and what is open stays usable."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rag.errors import GroundwireError
from rag.stores.faiss.store import FaissStore
from tests.rag.stores.faiss.conftest import chunk, nothing

ROOT = Path(__file__).parents[4]


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


FILLING = """
import resource, sys, pathlib
from tests.rag.stores.faiss.conftest import chunk, nothing
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
