"""What of the retrieved fits into the prompt: the best passages first, by the model's own token counts.

Knows budgets. Knows no tokenizer and no template: both are handed in.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from rag.errors import GroundwireError
from rag.trace import LeftOut
from rag.types import Message, Passage

Count = Callable[[Sequence[str]], Awaitable[list[int]]]
"""Tokens of each text, by the tokenizer of the model that will read them."""
Render = Callable[[Sequence[Passage]], tuple[Message, ...]]


class NoRoomError(GroundwireError):
    """Not one passage fits."""


class Context(NamedTuple):
    """What is sent, and what was left out; passages are numbered from 1 in the order of their rank."""

    passages: tuple[Passage, ...]
    messages: tuple[Message, ...]
    left_out: tuple[LeftOut, ...]
    fence: str = ""
    """The delimiter that stands around the passages in the messages."""


async def pack(passages: Sequence[Passage], budget: int, room: int | None, count: Count, render: Render) -> Context:
    """Take passages in rank order while their texts fit `budget` tokens and the rendered messages fit `room` (null: no limit).

    A passage that does not fit is passed over, a shorter one after it may still be taken. Raises `NoRoomError` where
    there are passages and not one fits.
    """
    sizes = await count([passage.text for passage in passages])
    taken: list[int] = []
    for index, size in enumerate(sizes):
        if size <= budget - sum(sizes[other] for other in taken):
            taken.append(index)
    while True:
        kept = tuple(passages[index].model_copy(update={"number": number}) for number, index in enumerate(taken, 1))
        messages = render(kept)
        if room is None or not taken or await _fits([message.content for message in messages], room, count):
            break
        taken.pop()
    if passages and not taken:
        smallest = f"no passage fits: the smallest has {min(sizes)} tokens"
        if min(sizes) > budget:
            raise NoRoomError(f"{smallest}, and {budget} are allowed for all", "raise retriever.context_tokens in the variant")
        raise NoRoomError(
            f"{smallest}, and the model reads {room} in all", "lower llm.max_tokens, or name a model with a larger window"
        )
    left_out = tuple(
        LeftOut(chunk_id=passage.chunk_id, document_id=passage.document_id, tokens=sizes[index])
        for index, passage in enumerate(passages)
        if index not in taken
    )
    return Context(kept, messages, left_out)


async def _fits(texts: Sequence[str], room: int, count: Count) -> bool:
    """Counted only where it is close: a token is a byte at least."""
    return sum(len(text.encode()) for text in texts) <= room or sum(await count(texts)) <= room
