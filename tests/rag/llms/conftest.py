"""Requests, and how an answer is read to its end."""

from collections.abc import AsyncGenerator

from rag.llms.base import Completion, Request
from rag.types import Message


def asking(model: str, text: str = "What is the answer?", *, whole: bool = False) -> Request:
    return Request(model=model, messages=(Message(role="user", content=text),), question=text, seed=1, whole=whole)


async def drained(stream: AsyncGenerator[str | Completion, None]) -> tuple[str, Completion]:
    """The whole text, and the completion that came last."""
    pieces = [piece async for piece in stream]
    text = [piece for piece in pieces if isinstance(piece, str)]
    assert all(text)
    assert len(pieces) == len(text) + 1
    assert isinstance(pieces[-1], Completion)
    return "".join(text), pieces[-1]
