"""The conversation before a question: whether the question depends on it, and what of it is searched for and sent to a model.

Knows turns. `rag.conversation.followup` knows which words depend on others.
"""

from collections.abc import Iterator, Sequence

from prompts.template import break_control_tokens
from rag.context import Count
from rag.conversation.followup import follows
from rag.types import Message

USER, ASSISTANT = "user", "assistant"
TURNS = 3
"""How many earlier questions a query includes at most."""
TURN = 500
"""Characters of an earlier turn that are read: the beginning of a long one says what it is about."""
TOKEN = 16
"""Characters of a token at most: a backend that counts none at all must not be sent a conversation of any length."""


def depends(question: str, history: Sequence[Message]) -> bool:
    """Whether `question` can only be understood with the conversation before it. Takes well under a millisecond."""
    before = next(_user_turns(history), None)
    return before is not None and follows(question, before)


def standalone(question: str, history: Sequence[Message]) -> str:
    """What to search for instead of `question`: it and the questions that it depends on, one per line, the latest first.

    At most three earlier questions, back to the first that depends on none. A question that depends on nothing is returned as it is.
    """
    lines = [question]
    earlier = _user_turns(history)
    before = next(earlier, None)
    while before is not None and len(lines) <= TURNS and follows(lines[-1], before):
        lines.append(before)
        before = next(earlier, None)
    return "\n".join(lines)


async def recent(history: Sequence[Message], budget: int, count: Count) -> tuple[Message, ...]:
    """The latest whole turns that together have at most `budget` tokens, oldest first; they are sent before the question.

    A turn is a question and its answer; if not even the latest turn fits, its question alone is sent, if that fits. Other roles are
    left out, and control tokens of chat models are broken up, as in a prompt.
    """
    turns = _turns(history)
    said = [message.content for turn in turns for message in turn]
    sizes = [max(tokens, len(text) // TOKEN) for tokens, text in zip(await count(said), said, strict=True)]
    kept: list[Message] = []
    for turn in reversed(turns):
        tokens, sizes = sizes[-len(turn) :], sizes[: -len(turn)]
        if sum(tokens) > budget:
            if not kept and tokens[0] <= budget:
                kept = turn[:1]
            break
        budget -= sum(tokens)
        kept = [*turn, *kept]
    return tuple(kept)


def _user_turns(history: Sequence[Message]) -> Iterator[str]:
    """The beginnings of the user's messages, the latest first."""
    said = (message.content.strip()[:TURN] for message in reversed(history) if message.role == USER)
    return (text for text in said if text)


def _turns(history: Sequence[Message]) -> list[list[Message]]:
    """The latest turns, oldest first; each begins with the user."""
    turns: list[list[Message]] = [[]]
    for message in reversed(history):
        if not message.content.strip():
            continue
        if message.role in (USER, ASSISTANT):
            turns[0].insert(0, Message(role=message.role, content=break_control_tokens(message.content)))
        if message.role == USER:
            turns.insert(0, [])
        if len(turns) > TURNS:
            break
    return turns[1:]
