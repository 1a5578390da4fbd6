"""The embedded model: one child for all, deterministic, free, and gone when its parent is."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from rag import weights
from rag.errors import UpstreamError
from rag.llms.base import Request
from rag.llms.litellm import LiteLLM, close_connections
from rag.llms.local import Address, LlamaServer, SmolLM2
from rag.types import Message
from tests.rag.llms.conftest import drained, gone

pytest.importorskip("xllamacpp", reason="needs the extra `local`")
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def llama() -> Iterator[LlamaServer]:
    server = LlamaServer(weights.locate(weights.SMOLLM2))
    yield server
    server.stop()


@pytest.fixture
async def model(llama: LlamaServer) -> AsyncIterator[SmolLM2]:
    yield SmolLM2(llama)
    await close_connections()


def asking(model: str, question: str = "The capital of France is Paris. What is the capital of France?") -> Request:
    return Request(model=model, messages=(Message(role="user", content=question),), seed=1, max_tokens=12)


async def test_answers_for_nothing_and_the_same_every_time(model: SmolLM2) -> None:
    first, second = [await drained(model.stream(asking("local/smollm2"))) for _ in range(2)]
    assert "Paris" in first[0]
    assert first[0] == second[0]
    for _, completion in (first, second):
        assert completion.model == "local/smollm2"
        assert completion.cost_nanodollars == 0
        assert completion.usage.prompt > 10
        assert 0 < completion.usage.completion <= 12
    assert second[1].usage.cached > 0


async def test_requests_share_one_child(model: SmolLM2, llama: LlamaServer) -> None:
    pids = set()
    for texts in await asyncio.gather(*(drained(model.stream(asking("local/smollm2"))) for _ in range(3))):
        pids.add(llama.pid)
        assert texts[0]
    assert len(pids) == 1


async def test_one_server_speaks_both_wire_formats(llama: LlamaServer, model: SmolLM2, monkeypatch: pytest.MonkeyPatch) -> None:
    address = llama.address()
    monkeypatch.setenv("OPENAI_BASE_URL", f"{address.url}/v1")
    monkeypatch.setenv("OPENAI_API_KEY", address.key)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", address.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", address.key)
    for name in ("openai/smollm2", "anthropic/smollm2"):
        text, completion = await drained(LiteLLM(name).stream(asking(name)))
        assert "Paris" in text
        assert completion.usage.prompt > 10
        assert completion.usage.completion > 0
        assert completion.cost_nanodollars is None
        assert completion.finish_reason in ("stop", "length")


def test_nobody_else_may_ask_it(llama: LlamaServer) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert httpx.post(f"{llama.address().url}/v1/chat/completions", json=body).status_code == 401


async def test_a_child_that_died_is_replaced(model: SmolLM2, llama: LlamaServer) -> None:
    llama.address()
    pid = llama.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(60):
        while llama.pid is not None:
            await asyncio.sleep(0.01)
    text, _ = await drained(model.stream(asking("local/smollm2")))
    assert "Paris" in text
    assert llama.pid not in (None, pid)


@pytest.mark.parametrize("end", ["exit", "SIGKILL", "SIGTERM"])
def test_the_child_ends_with_its_parent(end: str) -> None:
    script = (
        "import time; from rag import weights; from rag.llms.local import LlamaServer\n"
        "server = LlamaServer(weights.locate(weights.SMOLLM2)); server.address(); print(server.pid, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script + ("" if end == "exit" else "time.sleep(60)")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if end != "exit":
            parent.send_signal(signal.Signals[end])
        parent.wait()
    assert gone(child)


def test_weights_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF but not really")
    server = LlamaServer(path)
    with pytest.raises(UpstreamError, match=r"broken\.gguf did not start"):
        server.address()
    assert server.pid is None


def test_an_address_is_on_loopback(llama: LlamaServer) -> None:
    address = llama.address()
    assert isinstance(address, Address)
    assert address.url.startswith("http://127.0.0.1:")
