"""A provider on loopback that both SDKs are pointed at, and requests to it."""

import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator

import pytest

from rag.llms.base import Completion, Request
from rag.llms.litellm import LiteLLM
from rag.types import Message
from tests.servers.provider import Provider


@pytest.fixture(scope="session")
def server() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
async def provider(server: Provider, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    """Connections belong to the event loop of one test, so they are closed after it."""
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.script()
    yield server
    await LiteLLM().close()


def asking(model: str, text: str = "What is the answer?") -> Request:
    return Request(model=model, messages=(Message(role="user", content=text),), question=text, seed=1)


async def drained(stream: AsyncGenerator[str | Completion, None]) -> tuple[str, Completion]:
    """The whole text, and the completion that came last."""
    pieces = [piece async for piece in stream]
    text = [piece for piece in pieces if isinstance(piece, str)]
    assert all(text)
    assert len(pieces) == len(text) + 1
    assert isinstance(pieces[-1], Completion)
    return "".join(text), pieces[-1]
