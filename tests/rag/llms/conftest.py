"""Requests, and how an answer is read to its end."""

import os
import time
from collections.abc import AsyncGenerator
from pathlib import Path

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


def gone(pid: int, seconds: float = 60.0) -> bool:
    """Whether a process ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
            stopped = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except (ProcessLookupError, FileNotFoundError):
            return True
        if stopped:
            return True
        time.sleep(0.02)
    return False
