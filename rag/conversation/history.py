"""What was said before a question: whether the question rests on it, and what of it is searched for, and sent to a model.

Knows turns. Which words rest on others is told by `rag.conversation.followup`.
"""

from collections.abc import Iterator, Sequence

from prompts.prompt import plain
from rag.context import Count
from rag.conversation.followup import follows
from rag.types import Message

USER, ASSISTANT = "user", "assistant"
TURNS = 3
"""Earlier questions that a query takes up at most."""
TURN = 500
"""Characters of an earlier turn that count: what a long one is about stands at its beginning."""


def depends(question: str, history: Sequence[Message]) -> bool:
    """Whether `question` can only be understood with what was said before, by its words. Takes well under a millisecond."""
    before = next(_asked(history), None)
    return before is not None and follows(question, before)


def standalone(question: str, history: Sequence[Message]) -> str:
    """What to search for in place of `question`, in lines: it, and the questions that it rests on, the latest first.

    They reach back to one that stands by itself, and three of them at most. A question that rests on nothing is returned as it is.
    """
    lines = [question]
    earlier = _asked(history)
    before = next(earlier, None)
    while before is not None and len(lines) <= TURNS and follows(lines[-1], before):
        lines.append(before)
        before = next(earlier, None)
    return "\n".join(lines)


async def recent(history: Sequence[Message], budget: int, count: Count) -> tuple[Message, ...]:
    """The latest turns that together have at most `budget` tokens, to be sent before the question: whole, oldest first.

    A turn is a question and what was answered; where not even the latest fits, its question alone is taken, if that does. Other
    roles are left out, and a chat model's control tokens are broken, as in a prompt.
    """
    turns = _turns(history)
    sizes = await count([message.content for turn in turns for message in turn])
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


def _asked(history: Sequence[Message]) -> Iterator[str]:
    """The user's turns, the latest first, as far as they count."""
    said = (message.content.strip()[:TURN] for message in reversed(history) if message.role == USER)
    return (text for text in said if text)


def _turns(history: Sequence[Message]) -> list[list[Message]]:
    """The latest, oldest first; each begins with the user."""
    turns: list[list[Message]] = [[]]
    for message in reversed(history):
        if not message.content.strip():
            continue
        if message.role in (USER, ASSISTANT):
            turns[0].insert(0, Message(role=message.role, content=plain(message.content)))
        if message.role == USER:
            turns.insert(0, [])
        if len(turns) > TURNS:
            break
    return turns[1:]
