"""Metadata as exact-match terms, by which filters work in every engine.

Knows when two values are equal: as such, or as they are written. Knows no engine.
"""

import json
import math
from collections.abc import Iterable, Iterator, Sequence

from rag.types import Filter, Metadata, Scalar

Facets = tuple[tuple[str, ...], ...]
"""For each key of a filter, the facets of which a chunk must have at least one."""


def facets(metadata: Metadata) -> list[str]:
    """The facets of a chunk with this metadata, sorted."""
    return sorted(_facet(key, value) for key, value in metadata.items())


def wanted(where: Filter) -> Facets:
    """The facets that a filter asks for. Who filters need not know whether the documents have 2024 as a number or as text."""
    return tuple(
        tuple(sorted({_facet(key, reading) for value in _values(allowed) for reading in _readings(value)}))
        for key, allowed in sorted(where.items())
    )


def unmet(where: Filter, there: Iterable[Metadata]) -> tuple[list[str], set[str]]:
    """What of a filter none of these metadata has: `colour`, or `year=2024` where others have a year; and the keys there are."""
    keys: set[str] = set()
    found: set[str] = set()
    for metadata in there:
        keys |= metadata.keys()
        found.update(facets(metadata))
    lacking = [
        f"{key}={' or '.join(map(_text, _values(where[key])))}" if key in keys else key
        for key, any_of in zip(sorted(where), wanted(where), strict=True)
        if found.isdisjoint(any_of)
    ]
    return lacking, keys


def _values(allowed: Scalar | Sequence[Scalar]) -> Sequence[Scalar]:
    return [allowed] if isinstance(allowed, str | int | float) else allowed


def _readings(value: Scalar) -> Iterator[Scalar]:
    """The value, the text of a number or truth value, and what a text says if it is read as JSON."""
    yield value
    if not isinstance(value, str):
        yield _text(value)
        return
    try:
        read = json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):
        return
    if isinstance(read, str | int) or (isinstance(read, float) and math.isfinite(read)):
        yield read


def _text(value: Scalar) -> str:
    return value if isinstance(value, str) else json.dumps(_plain(value))


def _plain(value: Scalar) -> Scalar:
    """Equal numbers are written alike."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _facet(key: str, value: Scalar) -> str:
    """A key and a value as one term; equal numbers give the same one."""
    return json.dumps([key, _plain(value)], ensure_ascii=False)
