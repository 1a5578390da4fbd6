"""How good a ranking is, of which the right items are known.

Knows ids and gains. Knows no search and no question. The first `k` are judged, all of them where it is not given.
"""

import math
from collections.abc import Mapping, Sequence


def recall(ranking: Sequence[str], gains: Mapping[str, int], k: int | None = None) -> float:
    """The share of the documents with a gain that are among the first k."""
    return len(gains.keys() & set(ranking[:k])) / len(gains)


def reciprocal_rank(ranking: Sequence[str], gains: Mapping[str, int], k: int | None = None) -> float:
    """1 over the rank of the first document with a gain, 0 where none is among the first k."""
    return next((1 / rank for rank, id in enumerate(ranking[:k], 1) if id in gains), 0.0)


def ndcg(ranking: Sequence[str], gains: Mapping[str, int], k: int | None = None) -> float:
    """Discounted cumulative gain of the first k, as a share of what the best order of all documents would have; gains are linear
    (Järvelin and Kekäläinen, 2002)."""
    best = sorted(gains.values(), reverse=True)
    return _discounted([gains.get(id, 0) for id in ranking[:k]]) / _discounted(best[:k])


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, 1))
