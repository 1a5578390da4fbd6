"""Where generations are kept: one file an engine, opened by place."""

from pathlib import Path

from rag.errors import GroundwireError
from rag.stores.base import Store


def open_store(place: str | Path) -> Store:
    """The FAISS store of a folder. Raises `GroundwireError` for a URL: no server is known."""
    if "://" in str(place):
        raise GroundwireError(f"store {place} is not known", "name a folder")
    from rag.stores.faiss import FaissStore

    return FaissStore(Path(place))
