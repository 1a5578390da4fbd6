"""What a caller sees of an answer while it is made: `Retrieved` once, `Delta` as text is released, `Done` last.

Knows the events. Knows nothing of how they come about, or of how they are sent.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import NamedTuple

from rag.trace import Trace
from rag.types import Passage


class Retrieved(NamedTuple):
    """The passages that the answer will rest on; comes before the first text."""

    trace_id: str
    passages: tuple[Passage, ...]


class Delta(NamedTuple):
    """The next piece of the answer, as released."""

    text: str


class Done(NamedTuple):
    """The end; the trace is committed by now."""

    trace: Trace


Event = Retrieved | Delta | Done


async def drained(events: AsyncGenerator[Event, None]) -> Trace:
    """The trace of a request, once all of its events are over."""
    last: Event | None = None
    async with aclosing(events):
        async for event in events:
            last = event
    assert isinstance(last, Done)
    return last.trace
