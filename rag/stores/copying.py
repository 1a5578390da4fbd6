"""A generation into another store, and the proof that it answers there as it does here.

Knows any two stores. Knows nothing of embedders: what a copy is asked for has its vector already.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from rag.embedders.base import Vectors
from rag.errors import StorageError
from rag.stores.base import Block, Generation, Index, Source, Store
from rag.types import Hit

PROBES = 50
"""Chunks that both stores are asked for."""
DEPTH = 10
ALIKE = 0.9
"""The share of the nearest that an approximate index has to find; an exact one finds all."""
_LONGEST = 200
"""Characters of a chunk that are asked for: questions are no longer."""


class Probe(NamedTuple):
    """What is asked: the beginning of a chunk, and the chunk's own vector."""

    text: str
    vector: Vectors


class Agreement(NamedTuple):
    """The share of the `DEPTH` best of one index that are among those of the other, over all probes; 1 where there is none."""

    dense: float
    lexical: float


class Passing:
    """A source whose chunks are counted as they pass, and of which a sample is remembered."""

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
    """Bring the generation of `index` into `target`, under its id, where it is not there yet, and ask both for a sample of it.

    `watch` is told how many chunks are done, of how many. Raises `StorageError` where the contents did not arrive to the byte, and
    where the copy does not find what the original finds.
    """
    passing = Passing(index, watch)
    generation = target.copy(passing)
    if not passing.probes:
        for _ in passing.blocks():
            pass
    copied = target.open(generation.collection, generation.id)
    try:
        found = agreement(index, copied, passing.probes)
    finally:
        copied.close()
    if found.dense < ALIKE:
        raise StorageError(
            f"the copy of generation {generation.id} is whole, but finds only {found.dense:.0%} of what the original finds",
            "stay with the original; that store's vector index is at fault",
        )
    return found


def agreement(one: Index, other: Index, probes: Sequence[Probe]) -> Agreement:
    """How much of what `one` finds `other` finds too."""
    if not probes:
        return Agreement(1.0, 1.0)
    dense = [_shared(*(index.dense(probe.vector, DEPTH, {}) for index in (one, other))) for probe in probes]
    lexical = [_shared(*(index.lexical(probe.text, DEPTH, {}) for index in (one, other))) for probe in probes]
    return Agreement(sum(dense) / len(dense), sum(lexical) / len(lexical))


def _shared(one: Sequence[Hit], other: Sequence[Hit]) -> float:
    wanted, found = ({hit.position for hit in hits} for hits in (one, other))
    return len(wanted & found) / len(wanted) if wanted else float(not found)
