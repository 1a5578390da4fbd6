"""Copies a generation into another store, and checks that it finds the same there.

Knows any two stores. Knows nothing of embedders: the probes are stored chunks, which have their vectors.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rag.embedders.base import Vectors
from rag.errors import StorageError
from rag.stores.base import Block, Generation, Index, Source, Store
from rag.types import Hit

PROBES = 50
"""Chunks that both stores are searched for."""
DEPTH = 10
"""Results of a search that are compared."""
ALIKE = 0.9
"""The share of the nearest chunks that the copy has to find; an exact index finds all."""
_LONGEST = 200
"""Characters of a chunk in a probe: questions are no longer."""


class Probe(NamedTuple):
    """A query: the beginning of a chunk, and the chunk's own vector, shape (dimensions,)."""

    text: str
    vector: Vectors


class Agreement(NamedTuple):
    """The mean share of the `DEPTH` best results of one index that are among those of the other; 1 without probes."""

    dense: float
    lexical: float


class SampledSource:
    """Wraps a source: counts chunks as they are read and keeps a random sample as probes."""

    def __init__(self, source: Source, watch: Callable[[int, int], None]) -> None:
        self.generation: Generation = source.generation
        self.probes: list[Probe] = []
        self._source = source
        self._watch = watch
        count = self.generation.chunks
        self._sample = set(np.random.default_rng(0).choice(count, min(count, PROBES), replace=False).tolist())

    def blocks(self) -> Iterator[Block]:
        self.probes.clear()
        done = 0
        for block in self._source.blocks():
            for position, (chunk, vector) in enumerate(zip(block.chunks, block.vectors, strict=True), done):
                if position in self._sample:
                    self.probes.append(Probe(chunk.text[:_LONGEST], vector.copy()))
            yield block
            done += len(block.chunks)
            self._watch(done, self.generation.chunks)


def copy(index: Index, target: Store, watch: Callable[[int, int], None]) -> Agreement:
    """Copy the generation of `index` into `target` under its id, unless it is there already, and search both for a
    sample of it.

    `watch` is called with the number of chunks done, and their total. Raises `StorageError` if the contents did not
    arrive byte for byte, and if the copy does not find what the original finds.
    """
    source = SampledSource(index, watch)
    generation = target.copy(source)
    if not source.probes:
        for _ in source.blocks():
            pass
    copied = target.open(generation.collection, generation.id)
    try:
        found = agreement(index, copied, source.probes)
    finally:
        copied.close()
    if found.dense < ALIKE:
        raise StorageError(
            f"the copy of generation {generation.id} is whole, but finds only {found.dense:.0%} of what the original finds",
            "stay with the original; that store's vector index is at fault",
        )
    return found


def agreement(one: Index, other: Index, probes: Sequence[Probe]) -> Agreement:
    """How much of what `one` finds is found by `other`, too."""
    if not probes:
        return Agreement(1.0, 1.0)
    dense = [_shared(*(index.dense(probe.vector, DEPTH, {}) for index in (one, other))) for probe in probes]
    lexical = [_shared(*(index.lexical(probe.text, DEPTH, {}) for index in (one, other))) for probe in probes]
    return Agreement(sum(dense) / len(dense), sum(lexical) / len(lexical))


def _shared(one: Sequence[Hit], other: Sequence[Hit]) -> float:
    wanted, found = ({hit.position for hit in hits} for hits in (one, other))
    return len(wanted & found) / len(wanted) if wanted else float(not found)
