"""Learns from a new index, without labels, how to weigh its two legs and which questions are irrelevant to it.

Knows how to search an index for what it holds: sentences of its own chunks, whole and without their rarest words, as
questions are. Deterministic: the same index gives the same result.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from rag.embedders.base import Embedder, Vectors
from rag.fusion import DEPTH, Fusion, weigh
from rag.relevance import BEST, OUT_OF_DOMAIN, evidence, fit
from rag.stores.base import Index, Tuning
from rag.text.sentences import sentences
from rag.types import Chunk, Hit

_PROBES = 150
"""Chunks that are drawn from an index."""
_REPEATED = 0.1
"""Above this share of duplicate probe texts, each text is asked once; otherwise one repetitive file would dominate."""
_SOUGHT = 3000
"""Chunks that are drawn to find `_PROBES` different texts among them."""
_FEWEST_CHUNKS = 50
"""Below this many chunks either leg finds everything, and ranks do not show which is better."""
_CANDIDATES = 100
"""Results of each leg that are fused."""
_RARE = 1 / 3
"""The share of a sentence's words that is dropped, the rarest first: a question seldom has its answer's rarest words."""
_SHORTEST = 15
"""Characters of the shortest sentence that is used as a question."""
_LONGEST = 200
"""Characters of a question: real ones are no longer, and embedding them is most of the work."""
_LONGEST_WORD = 15
"""Above this mean number of characters a word, a text is taken for one without spaces between words."""


class Probe(NamedTuple):
    """A question that the chunk at `position` is known to answer; `vector` has shape (dimensions,)."""

    position: int
    text: str
    vector: Vectors


def tune(index: Index, embedder: Embedder) -> Tuning:
    """Search `index` for sentences that it holds and for questions that it does not answer.

    Takes about a second; deterministic.
    """
    whole, blurred = _probes(index, embedder)
    fusion = Fusion()
    if min(index.generation.chunks, len(whole)) >= _FEWEST_CHUNKS:
        fusion = weigh(_ranks(index, whole), _ranks(index, blurred))
    vectors = embedder.embed(OUT_OF_DOMAIN)
    own = [_evidence(index, fusion, probe.text, probe.vector) for probe in blurred]
    foreign = [_evidence(index, fusion, text, vector) for text, vector in zip(OUT_OF_DOMAIN, vectors, strict=True)]
    return Tuning(fusion=fusion, relevance=fit(own, foreign))


def _probes(index: Index, embedder: Embedder) -> tuple[list[Probe], list[Probe]]:
    """One sentence of each chunk of a sample: whole, and blurred."""
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
    """The rank of each probe's own chunk in the dense and in the lexical leg; null if it is not found."""
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
