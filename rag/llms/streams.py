"""What litellm's streams say: the text as it arrives, then how it ended.

Knows OpenAI's events as they come over the wire, and litellm's chunks of every other provider.
"""

import json
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any, NamedTuple


class End(NamedTuple):
    """What a stream says besides its text; null where it did not."""

    model: str | None = None
    finish_reason: str | None = None
    usage: Any = None


def read(response: Any) -> AsyncGenerator[str | End, None]:
    """The text of a stream as it arrives, then its end."""
    from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler

    events = response.completion_stream
    # A dialect of OpenAI's has a subclass, which mends it.
    if type(events) is OpenAIChatCompletionStreamingHandler:
        return _read_openai(events)
    return _read_any(response)


async def _read_openai(events: Any) -> AsyncGenerator[str | End, None]:
    """Off the wire: litellm would make three objects of each word, which is most of what a call costs here.

    Words that arrive together are passed on together.
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
            # Where a failure came with them, too: they were given, and are billed.
            if text := "".join(texts):
                yield text
    yield end._replace(usage=end.usage and Usage(**end.usage))


async def _arrived(response: Any) -> AsyncGenerator[Iterator[dict[str, Any]], None]:
    """The events of a stream, those in one that came in one."""
    begun = b""
    async for arrived in response.aiter_bytes():
        *lines, begun = (begun + arrived).split(b"\n")
        yield _said(lines)
    yield _said([begun])


def _said(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """What lines of server-sent events say. A failure may come bare, in place of a stream."""
    for line in lines:
        said = line.removeprefix(b"data:").strip()
        if said.startswith(b"{"):
            yield json.loads(said)


async def _read_any(response: Any) -> AsyncGenerator[str | End, None]:
    """Whatever the provider speaks, as litellm tells it."""
    end = End()
    async for chunk in response:
        end = end._replace(model=chunk.model or end.model, usage=getattr(chunk, "usage", None) or end.usage)
        for choice in chunk.choices:
            end = end._replace(finish_reason=choice.finish_reason or end.finish_reason)
            if choice.delta.content:
                yield choice.delta.content
    # litellm makes up what a provider leaves out: "stop" where a stream just ended, its own count where no usage was told.
    if response.received_finish_reason is None:
        end = end._replace(finish_reason=None)
    if not any(getattr(chunk, "usage", None) for chunk in response.chunks):
        end = end._replace(usage=None)
    yield end
