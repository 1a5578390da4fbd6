"""Concurrent questions in one call: nobody waits without reason, and nobody pays for another."""

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from rag.embedders.base import Vectors
from rag.embedders.batching import BATCH, Batching
from rag.embedders.hashing import HashingEmbedder
from rag.embedders.onnx import OnnxEmbedder

pytestmark = pytest.mark.anyio


class Gated(HashingEmbedder):
    """An embedder whose calls wait until they are let go, and fail for a question that says so."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[list[str]] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go = threading.Semaphore(0)

    def embed(self, texts: Sequence[str]) -> Vectors:
        self.calls.append(list(texts))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.go.acquire()
        self.at_once -= 1
        if "fail" in texts:
            raise RuntimeError("no such question")
        return super().embed(texts)


@pytest.fixture
def embedder() -> Gated:
    return Gated()


async def until(embedder: Gated, calls: int) -> None:
    async with asyncio.timeout(5):
        while len(embedder.calls) < calls:
            await asyncio.sleep(0.001)


async def test_what_arrives_during_a_call_goes_together_into_the_next(embedder: Gated) -> None:
    batching = Batching(embedder)
    first = asyncio.ensure_future(batching.embed("one"))
    await until(embedder, 1)
    others = [asyncio.ensure_future(batching.embed(f"question {number}")) for number in range(BATCH + 3)]
    await asyncio.sleep(0)
    embedder.go.release(3)
    vectors = await asyncio.gather(first, *others)
    assert [len(call) for call in embedder.calls] == [1, BATCH, 3]
    assert embedder.most_at_once == 1
    alone = HashingEmbedder().embed([question for call in embedder.calls for question in call])
    assert np.array_equal(np.stack(vectors), alone)


async def test_an_idle_embedder_is_called_at_once(embedder: Gated) -> None:
    batching = Batching(embedder)
    embedder.go.release(2)
    await batching.embed("one")
    await batching.embed("two")
    assert embedder.calls == [["one"], ["two"]]


async def test_who_leaves_disturbs_nobody(embedder: Gated) -> None:
    batching = Batching(embedder)
    leaving, staying = (asyncio.ensure_future(batching.embed(name)) for name in ("leaving", "staying"))
    await until(embedder, 1)
    never = asyncio.ensure_future(batching.embed("never called"))
    last = asyncio.ensure_future(batching.embed("last"))
    await asyncio.sleep(0)
    for gone in (leaving, never):
        gone.cancel()
    embedder.go.release(2)
    await asyncio.gather(staying, last)
    assert embedder.calls == [["leaving", "staying"], ["last"]]
    assert leaving.cancelled()


async def test_an_error_reaches_those_of_its_call_only(embedder: Gated) -> None:
    batching = Batching(embedder)
    before = asyncio.ensure_future(batching.embed("before"))
    await until(embedder, 1)
    failing = [asyncio.ensure_future(batching.embed(name)) for name in ("fail", "beside it")]
    embedder.go.release(2)
    await before
    for failed in await asyncio.gather(*failing, return_exceptions=True):
        assert str(failed) == "no such question"
    embedder.go.release()
    await batching.embed("after")


def test_another_event_loop_may_follow(embedder: Gated) -> None:
    batching = Batching(embedder)

    async def leaves() -> None:
        left = asyncio.ensure_future(batching.embed("left behind"))
        await until(embedder, 1)
        assert not left.done()

    asyncio.run(leaves())
    embedder.go.release(2)
    asyncio.run(batching.embed("next"))
    assert embedder.calls == [["left behind"], ["next"]]


async def test_a_vector_does_not_depend_on_who_else_asks() -> None:
    embedder = OnnxEmbedder()
    questions = ["How long is the warranty?", "When does the shop open, and on which days is it closed?", "Returns"]
    together = await asyncio.gather(*map(Batching(embedder).embed, questions))
    alone = np.concatenate([embedder.embed([question]) for question in questions])
    assert np.abs(np.stack(together) - alone).max() < 1e-6
