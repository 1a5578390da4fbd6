"""Stores of generations: one folder an engine, opened by place."""

from pathlib import Path

from rag.errors import ConfigurationError
from rag.stores.base import Store


def open_store(place: str | Path) -> Store:
    """The FAISS store of a folder, or the Weaviate store of a URL. Raises `ConfigurationError` for any other URL."""
    scheme, separator, _ = str(place).partition("://")
    if not separator:
        from rag.stores.faiss.store import FaissStore

        return FaissStore(Path(place))
    if scheme in ("weaviate", "weaviate+https"):
        try:
            from rag.stores.weaviate.store import WeaviateStore
        except ModuleNotFoundError as error:
            raise ConfigurationError(f"a store at {scheme}:// needs {error.name}", "pip install 'groundwire[cluster]'") from error
        return WeaviateStore(str(place))
    raise ConfigurationError(f"store {scheme}:// is not known", "set GROUNDWIRE_INDEX to weaviate://HOST:PORT or to a folder")
