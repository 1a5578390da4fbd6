"""One embedder alone, as JSON: milliseconds a query, passages a second. `python -m tests.bench.embedding NAME` runs in any environment."""

import json
import sys
import time
from collections.abc import Sequence

from rag.embedders import open_embedder
from tests.bench.clock import median_ms

ROUNDS = 3


def measure(name: str, queries: Sequence[str], passages: Sequence[str]) -> dict[str, float]:
    """The median query, and the best of `ROUNDS` over the passages."""
    embedder = open_embedder(name)
    query = median_ms(lambda text: embedder.embed([text]), queries)
    rates = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        embedder.embed(passages)
        rates.append(len(passages) / (time.perf_counter() - began))
    return {"query_ms": query, "passages_per_second": max(rates)}


if __name__ == "__main__":
    texts = json.load(sys.stdin)
    print(json.dumps(measure(sys.argv[1], texts["queries"], texts["passages"])))
