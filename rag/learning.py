"""What a new index teaches about its collection, without labels: how to weigh its legs, and what is irrelevant to it.

Knows how to ask an index for what is known to be in it: sentences of its own chunks, whole, and without their rarest words, as
questions are. The same index teaches the same.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rag.embedders.base import Embedder, Vectors
from rag.fusion import DEPTH, Fusion, weigh
from rag.relevance import BEST, STRANGERS, evidence, fit
from rag.stores.base import Index, Learnt
from rag.text.sentences import sentences
from rag.types import Chunk, Hit

_PROBES = 150
_REPEATED = 0.1
"""The share of the probes whose text another has, from which on each text is asked for once: else one long file that repeats itself
decides what all the others are worth."""
_SOUGHT = 3000
"""Chunks that are looked through for texts that differ."""
_FEWEST_CHUNKS = 50
"""Among fewer, either leg finds anything, and the ranks say nothing of which is better."""
_CANDIDATES = 100
_RARE = 1 / 3
"""The share of a sentence's words that is dropped, the rarest first: a question seldom has its answer's rarest words."""
_SHORTEST = 15
"""Characters of a sentence worth asking for."""
_LONGEST = 200
"""Characters that are asked for: questions are no longer, and embedding them is most of the work."""
_LONGEST_WORD = 15
"""Characters a word, on average, beyond which a text is one without spaces between words."""


class Probe(NamedTuple):
    """A text that the chunk at `position` is known to answer."""

    position: int
    text: str
    vector: Vectors


def learn(index: Index, embedder: Embedder) -> Learnt:
    """Ask `index` for things known to be in it, and for things that are not. Takes about a second; deterministic."""
    whole, blurred = _probes(index, embedder)
    fusion = Fusion()
    if min(index.generation.chunks, len(whole)) >= _FEWEST_CHUNKS:
        fusion = weigh(_ranks(index, whole), _ranks(index, blurred))
    vectors = embedder.embed(STRANGERS)
    own = [_evidence(index, fusion, probe.text, probe.vector) for probe in blurred]
    strangers = [_evidence(index, fusion, text, vector) for text, vector in zip(STRANGERS, vectors, strict=True)]
    return Learnt(fusion=fusion, relevance=fit(own, strangers))


def _probes(index: Index, embedder: Embedder) -> tuple[list[Probe], list[Probe]]:
    """One sentence of each chunk of a sample, whole and blurred."""
    chance = np.random.default_rng(0)
    positions, chunks = _sample(index, chance)
    frequency = Counter(
        word for chunk in {chunk.id: chunk for chunk in chunks}.values() for word in set(chunk.text.casefold().split())
    )
    choices = [_sentences(chunk) for chunk in chunks]
    texts = [choice[chance.integers(len(choice))] for choice in choices]
    blurred = [_blurred(text, frequency) for text in texts]
    vectors = embedder.embed(texts + blurred)
    return (
        [Probe(*probe) for probe in zip(positions, texts, vectors[: len(texts)], strict=True)],
        [Probe(*probe) for probe in zip(positions, blurred, vectors[len(texts) :], strict=True)],
    )


def _sample(index: Index, chance: np.random.Generator) -> tuple[list[int], list[Chunk]]:
    """Chunks drawn at random, with their positions."""
    positions = chance.integers(index.generation.chunks, size=_PROBES).tolist()
    chunks = index.chunks(positions)
    if len(set(positions)) - len({chunk.text for chunk in chunks}) < _REPEATED * _PROBES:
        return positions, chunks
    positions = chance.integers(index.generation.chunks, size=_SOUGHT).tolist()
    distinct = {chunk.text: (position, chunk) for position, chunk in zip(positions, index.chunks(positions), strict=True)}
    few = list(distinct.values())[:_PROBES]
    return [position for position, _ in few], [chunk for _, chunk in few]


def _sentences(chunk: Chunk) -> list[str]:
    found = [chunk.text[start : min(end, start + _LONGEST)] for start, end in sentences(chunk.text, chunk.language)]
    return [sentence for sentence in found if len(sentence) >= _SHORTEST] or [chunk.text[:_LONGEST]]


def _blurred(text: str, frequency: Counter[str]) -> str:
    words = text.split()
    if len(text) > _LONGEST_WORD * len(words):
        return text[: len(text) - int(len(text) * _RARE)]
    rarest = sorted(range(len(words)), key=lambda place: (frequency[words[place].casefold()], place))
    dropped = set(rarest[: int(len(words) * _RARE)])
    return " ".join(word for place, word in enumerate(words) if place not in dropped)


def _ranks(index: Index, probes: Sequence[Probe]) -> tuple[list[int | None], list[int | None]]:
    """Of each probe's own chunk, in the dense and in the lexical leg."""
    dense = [_rank(index.dense(probe.vector, DEPTH, {}), probe.position) for probe in probes]
    lexical = [_rank(index.lexical(probe.text, DEPTH, {}), probe.position) for probe in probes]
    return dense, lexical


def _rank(hits: Sequence[Hit], position: int) -> int | None:
    return next((rank for rank, hit in enumerate(hits, 1) if hit.position == position), None)


def _evidence(index: Index, fusion: Fusion, text: str, vector: Vectors) -> float:
    dense = index.dense(vector, _CANDIDATES, {})
    fused = fusion.fuse(dense, index.lexical(text, _CANDIDATES, {}))
    best = index.chunks([hit.position for hit in fused[:BEST]])
    return evidence(text, index.generation.languages, dense[0].score if dense else 0.0, best)
