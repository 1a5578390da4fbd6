"""A model's reply that has to be one JSON object: how it is called for, read, and asked for again.

Knows no form that is filled in, and nothing of what a judgement is used for.
"""

import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Any, TypeVar

from rag.llms.base import CallLog, CallPolicy, Purpose, Request
from rag.llms.router import Router
from rag.text.characters import sound

T = TypeVar("T")

TRIES = 2
"""An unreadable reply is asked for once more, with what was wrong."""
EXCERPT = 80
"""Characters of a reply that an error quotes."""


class UnreadableError(ValueError):
    """What is wrong with a reply, for the model to read."""

    said = ""
    """The beginning of the reply, as one line."""


async def call_judge(router: Router, request: Request, policy: CallPolicy, log: CallLog) -> str:
    """The text of one call to a judge. Raises `UpstreamError`."""
    async with aclosing(router.stream(request, policy, Purpose.JUDGE, log)) as pieces:
        return sound("".join([piece async for piece in pieces if isinstance(piece, str)]))


async def ask_until_readable(ask: Callable[[str], Awaitable[str]], read: Callable[[str], T]) -> T:
    """Ask until `read` accepts the reply, and return what it makes of it. `ask` is given what was wrong with the last reply, at first "".

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
    """The JSON object in a reply, which may have prose or a code fence around it. Raises `UnreadableError`."""
    try:
        # From the first brace to the last, so that an object quoted beside the verdict makes the reply unreadable, and no verdict.
        found: dict[str, Any] = json.loads(text[text.index("{") : text.rindex("}") + 1], strict=False)
    except (ValueError, RecursionError):
        raise UnreadableError("it was not one JSON object") from None
    return found


def one_line(value: object) -> str:
    """A field's text as one line that can be stored."""
    return " ".join(sound(str(value)).split())
