"""Chunks, and a store with a small generation of them."""

from pathlib import Path

import numpy as np
import pytest

from rag.stores.base import Index, Tuning
from rag.stores.faiss.store import FaissStore
from rag.types import Chunk
from tests import chunks


def chunk(position: int) -> Chunk:
    metadata = {"hundred": position // 100, "even": position % 2 == 0}
    return chunks.chunk(position, f"passage {position} of the guide", tokens=8, metadata=metadata)


def nothing(_: Index) -> Tuning:
    return Tuning()


@pytest.fixture
def small(tmp_path: Path) -> tuple[FaissStore, Path]:
    store = FaissStore(tmp_path)
    vectors = np.eye(4, dtype=np.float32)
    generation = store.build("guide", "hash", map(chunk, range(4)), [vectors], nothing)
    return store, tmp_path / "guide" / generation.id
