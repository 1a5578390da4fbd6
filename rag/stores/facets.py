"""Metadata as exact-match terms, by which filters work in every engine.

Knows when two values are equal. Knows no engine.
"""

import json

from rag.types import Filter, Metadata, Scalar

Facets = tuple[tuple[str, ...], ...]
"""For each key of a filter, the facets of which a chunk must have at least one."""


def facets(metadata: Metadata) -> list[str]:
    """The facets of a chunk with this metadata, sorted."""
    return sorted(_facet(key, value) for key, value in metadata.items())


def wanted(where: Filter) -> Facets:
    """The facets that a filter asks for."""
    return tuple(
        tuple(sorted({_facet(key, value) for value in ([allowed] if isinstance(allowed, str | int | float) else allowed)}))
        for key, allowed in sorted(where.items())
    )


def _facet(key: str, value: Scalar) -> str:
    """A key and a value as one term; equal numbers give the same one."""
    return json.dumps([key, int(value) if isinstance(value, float) and value.is_integer() else value], ensure_ascii=False)
