"""Reads litellm's streams: the text as it arrives, then how it ended.

Knows OpenAI's events as they come over the wire, and litellm's chunks of every other provider.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, NamedTuple

LONGEST_LINE = 1_000_000
"""Bytes of one event."""


class End(NamedTuple):
    """What a stream says besides its text; null if it does not say so."""

    model: str | None = None
    finish_reason: str | None = None
    usage: Any = None


def read(response: Any) -> AsyncGenerator[str | End, None]:
    """The text of a stream as it arrives, then its end."""
    from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler

    events = response.completion_stream
    # Not a subclass: those translate dialects of OpenAI's.
    if type(events) is OpenAIChatCompletionStreamingHandler:
        return _read_openai(events)
    return _read_any(response)


async def _read_openai(events: Any) -> AsyncGenerator[str | End, None]:
    """Read the events themselves: litellm would make three objects of each, which is most of the CPU time of a call.

    Events that arrive together are yielded as one text.
    """
    from litellm import Usage

    end = End()
    async for chunks in _arrived(events.http_response):
        texts: list[str] = []
        try:
            for chunk in chunks:
                if chunk.get("error"):
                    events.chunk_parser(chunk)
                end = end._replace(model=chunk.get("model") or end.model, usage=chunk.get("usage") or end.usage)
                for choice in chunk.get("choices", ()):
                    end = end._replace(finish_reason=choice.get("finish_reason") or end.finish_reason)
                    texts.append((choice.get("delta") or {}).get("content") or "")
        finally:
            # Also if an error came with them: this text was sent, and is billed.
            if text := "".join(texts):
                yield text
    yield end._replace(usage=end.usage and Usage(**end.usage))


async def _arrived(response: Any) -> AsyncGenerator[Iterator[dict[str, Any]], None]:
    """The events of a stream, in the portions in which they arrived."""
    begun = b""
    async for arrived in response.aiter_bytes():
        *lines, begun = (begun + arrived).split(b"\n")
        if len(begun) > LONGEST_LINE:
            raise ValueError(f"an event of more than {LONGEST_LINE} bytes")
        yield _parsed(lines)
        # What is there already is read without a pause: others would wait, and no deadline would hold.
        await asyncio.sleep(0)
    yield _parsed([begun])


def _parsed(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects in lines of server-sent events. An error may come instead of a stream, without the prefix."""
    for line in lines:
        data = line.removeprefix(b"data:").strip()
        if data.startswith(b"{"):
            yield json.loads(data)


async def _read_any(response: Any) -> AsyncGenerator[str | End, None]:
    """Any other provider, through litellm's chunks."""
    end = End()
    async for chunk in response:
        end = end._replace(model=chunk.model or end.model, usage=getattr(chunk, "usage", None) or end.usage)
        for choice in chunk.choices:
            end = end._replace(finish_reason=choice.finish_reason or end.finish_reason)
            if choice.delta.content:
                yield choice.delta.content
        await asyncio.sleep(0)
    # litellm invents what a provider leaves out: the reason "stop" for a stream that breaks off, and its own count of tokens.
    if response.received_finish_reason is None:
        end = end._replace(finish_reason=None)
    if not any(getattr(chunk, "usage", None) for chunk in response.chunks):
        end = end._replace(usage=None)
    yield end
