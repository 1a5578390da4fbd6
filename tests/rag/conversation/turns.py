"""Turns of a conversation, said by the two in turn."""

from itertools import cycle

from rag.types import Message


def said(*texts: str, first: str = "user") -> tuple[Message, ...]:
    roles = cycle(("user", "assistant") if first == "user" else ("assistant", "user"))
    return tuple(Message(role=role, content=text) for role, text in zip(roles, texts, strict=False))


KETTLES, MONTHS = "How long is the warranty on a kettle?", "Kettles are covered for 24 months [1]."
TOASTERS = "And for toasters?"
HISTORY = said(KETTLES, MONTHS)
