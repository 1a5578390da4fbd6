"""Metadata as terms that a filter looks for exactly.

Knows when two values are one. Knows no engine.
"""

import json

from rag.types import Filter, Metadata, Scalar

Facets = tuple[tuple[str, ...], ...]
"""One entry a key of a filter: any of its facets must be there."""


def facets(metadata: Metadata) -> list[str]:
    """What a chunk is found by."""
    return sorted(_facet(key, value) for key, value in metadata.items())


def wanted(where: Filter) -> Facets:
    """What a filter asks for."""
    return tuple(
        tuple(sorted({_facet(key, value) for value in ([allowed] if isinstance(allowed, str | int | float) else allowed)}))
        for key, allowed in sorted(where.items())
    )


def _facet(key: str, value: Scalar) -> str:
    """One key and value as one term; numbers that are equal are one value."""
    return json.dumps([key, int(value) if isinstance(value, float) and value.is_integer() else value], ensure_ascii=False)
