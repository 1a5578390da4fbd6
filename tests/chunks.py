"""Chunks for whoever tests what holds them."""

from typing import Any

from rag.types import Chunk


def chunk(position: int, text: str, **fields: Any) -> Chunk:
    """The chunk at a position of a collection, each of a document of its own unless `fields` say otherwise."""
    given = {"document_id": f"d{position}", "source": "guide.md", "title": "", "language": "en", **fields}
    return Chunk(id=f"{position:032x}", text=text, start=0, end=len(text), **given)
