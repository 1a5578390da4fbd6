"""Retrieval that all sides of a comparison share, done once for each question and ahead of its answers.

Knows which work is the same for every side. Knows no engine.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import TypeVar

from rag.embedders.base import Vectors
from rag.retriever import Found, Retriever
from rag.types import Filter
from rag.variant import Mode, Retrieval

KEPT = 4096
"""Questions whose results are held: many more than are under way at once, and few enough to forget about."""

V = TypeVar("V")


class Lookahead(Retriever):
    """A retriever that has looked up some questions already. What no side was asked for in advance is looked up as ever."""

    def __init__(self, retriever: Retriever) -> None:
        super().__init__(retriever.embedder, retriever.index)
        self._vectors: OrderedDict[str, Vectors] = OrderedDict()
        self._found: OrderedDict[tuple[str, str], Found] = OrderedDict()

    def look_up(self, questions: Sequence[str], settings: Sequence[Retrieval]) -> None:
        """Embed the questions together, and search each as every side will. Questions are as the pipeline passes them on."""
        new = [question for question in dict.fromkeys(questions) if question not in self._vectors]
        for question, vector in zip(new, self.embedder.embed(new) if new else (), strict=True):
            _hold(self._vectors, question, vector)
            for setting in settings:
                self.search(question, vector, mode=setting.mode, top_k=setting.top_k, candidates=setting.candidates, where={})

    def embed(self, question: str) -> Vectors:
        """See `Retriever`."""
        vector = self._vectors.get(question)
        return super().embed(question) if vector is None else vector

    async def aembed(self, question: str) -> Vectors:
        """See `Retriever`."""
        vector = self._vectors.get(question)
        return await super().aembed(question) if vector is None else vector

    def search(self, question: str, vector: Vectors, *, mode: Mode, top_k: int, candidates: int, where: Filter) -> Found:
        """See `Retriever`."""
        key = (question, repr((mode, top_k, candidates, where)))
        found = self._found.get(key)
        if found is None:
            found = super().search(question, vector, mode=mode, top_k=top_k, candidates=candidates, where=where)
            _hold(self._found, key, found)
        return found


K = TypeVar("K")


def _hold(held: "OrderedDict[K, V]", key: K, value: V) -> None:
    held[key] = value
    if len(held) > KEPT:
        held.popitem(last=False)
