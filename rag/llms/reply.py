"""A model's reply that has to be one JSON object: how it is called for, read, and asked for again.

Knows no form that is filled in, and nothing of what a judgement is used for.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from rag.llms.base import Attempt, CallPolicy, Purpose, Request
from rag.llms.router import Router
from rag.text.characters import sound

T = TypeVar("T")

TRIES = 2
"""A reply that cannot be read is asked for once more, its fault told."""
EXCERPT = 80


class UnreadableError(ValueError):
    """What is wrong with a reply, for the model to read."""

    said = ""
    """The beginning of the reply, on one line."""


async def judgement(router: Router, request: Request, policy: CallPolicy, began: float, attempts: list[Attempt]) -> str:
    """The text of one call to a judge. Raises `UpstreamError`; for `began` and `attempts` see `Router.stream`."""
    async with aclosing(router.stream(request, policy, Purpose.JUDGE, began, attempts)) as pieces:
        return sound("".join([piece async for piece in pieces if isinstance(piece, str)]))


async def filled(ask: Callable[[str], Awaitable[str]], read: Callable[[str], T]) -> T:
    """What `read` makes of the reply that `ask` brings, given the fault of the one before, at first "".

    Raises the `UnreadableError` of the last try, and whatever `ask` raises.
    """
    fault = ""
    for tries_left in reversed(range(TRIES)):
        reply = await ask(fault)
        try:
            return read(reply)
        except UnreadableError as unreadable:
            if not tries_left:
                unreadable.said = " ".join(reply.split())[:EXCERPT]
                raise
            fault = str(unreadable)
    raise AssertionError("the last try returns or raises")


def json_object(text: str) -> dict[str, Any]:
    """The one JSON object of a reply, prose or a code fence around it. Raises `UnreadableError`."""
    try:
        # From the first brace to the last: an object that is quoted within or beside the verdict makes it no JSON, never a verdict.
        found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1], strict=False)
    except (ValueError, RecursionError):
        raise UnreadableError("it was not one JSON object") from None
    return found


def phrase(value: object) -> str:
    """Text of a field as one line that can be stored."""
    return " ".join(sound(str(value)).split())
