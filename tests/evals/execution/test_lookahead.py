"""What is looked up in advance is what would have been found, embedded once."""

from collections import Counter
from collections.abc import Sequence

import pytest

from evals.execution import lookahead
from evals.execution.lookahead import Lookahead
from rag.embedders.base import Embedder, Vectors
from rag.retriever import Found, Retriever
from rag.runtime import Runtime
from rag.variant import Retrieval

QUESTIONS = ["How long is the warranty?", "When is the shop open?", "May broken goods be returned?"]
SETTINGS = [Retrieval(top_k=2), Retrieval(mode="lexical", top_k=3, candidates=10)]


class Counting:
    """The collection's own embedder; counts how often each text is embedded, and how often it is called."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.identity = embedder.identity
        self.dimensions = embedder.dimensions
        self.max_tokens = embedder.max_tokens
        self.texts: Counter[str] = Counter()
        self.calls = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls += 1
        self.texts.update(texts)
        return self._embedder.embed(texts)


@pytest.fixture
def embedder(runtime: Runtime) -> Counting:
    return Counting(runtime.retriever("shop").embedder)


@pytest.fixture
def ahead(runtime: Runtime, embedder: Counting) -> Lookahead:
    return Lookahead(Retriever(embedder, runtime.retriever("shop").index))


def found(retriever: Retriever, question: str, setting: Retrieval) -> Found:
    vector = retriever.embed(question)
    return retriever.search(question, vector, mode=setting.mode, top_k=setting.top_k, candidates=setting.candidates, where={})


def test_all_sides_find_what_they_would_have_found(runtime: Runtime, ahead: Lookahead, embedder: Counting) -> None:
    ahead.look_up(QUESTIONS, SETTINGS)
    plain = runtime.retriever("shop")
    for question in QUESTIONS:
        assert (ahead.embed(question) == plain.embed(question)).all()
        for setting in SETTINGS:
            assert found(ahead, question, setting) == found(plain, question, setting)
            assert found(ahead, question, setting) is found(ahead, question, setting)
    assert embedder.calls == 1
    assert embedder.texts == Counter(QUESTIONS)


def test_what_was_not_looked_up_is_looked_up_as_ever(runtime: Runtime, ahead: Lookahead, embedder: Counting) -> None:
    plain = runtime.retriever("shop")
    assert found(ahead, QUESTIONS[0], SETTINGS[0]) == found(plain, QUESTIONS[0], SETTINGS[0])
    ahead.look_up(QUESTIONS, SETTINGS[:1])
    assert found(ahead, QUESTIONS[1], SETTINGS[1]) == found(plain, QUESTIONS[1], SETTINGS[1])


def test_filters_are_told_apart(ahead: Lookahead) -> None:
    ahead.look_up(QUESTIONS, SETTINGS)
    vector, setting = ahead.embed(QUESTIONS[0]), SETTINGS[0]
    none = ahead.search(
        QUESTIONS[0], vector, mode=setting.mode, top_k=2, candidates=setting.candidates, where={"language": "nothing"}
    )
    assert none.passages == ()
    assert found(ahead, QUESTIONS[0], setting).passages


def test_nothing_to_look_up_calls_nothing(ahead: Lookahead, embedder: Counting) -> None:
    ahead.look_up([], SETTINGS)
    ahead.look_up(QUESTIONS * 2, SETTINGS)
    ahead.look_up(QUESTIONS, SETTINGS)
    assert embedder.calls == 1
    assert embedder.texts == Counter(QUESTIONS)


def test_no_more_is_held_than_is_needed(ahead: Lookahead, embedder: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookahead, "KEPT", 10)
    for number in range(0, 40, 4):
        ahead.look_up([f"What is number {number + more}?" for more in range(4)], SETTINGS)
    assert len(ahead._vectors) == len(ahead._found) == 10
    before = embedder.calls
    ahead.embed("What is number 39?")
    assert embedder.calls == before
    ahead.embed("What is number 0?")
    assert embedder.calls == before + 1
