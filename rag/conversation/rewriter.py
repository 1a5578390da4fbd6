"""A model that rewrites a follow-up question so that it can be understood by itself.

Knows a prompt, and how far a reply can be trusted. Knows no provider.
"""

from collections.abc import Sequence
from contextlib import aclosing
from itertools import islice

from prompts.fence import fence
from prompts.prompt import Prompt
from prompts.template import break_control_tokens
from rag.conversation.history import ASSISTANT, TURN, USER, standalone
from rag.errors import UpstreamError
from rag.llms.base import CallLog, CallPolicy, Purpose, Request
from rag.llms.router import Router
from rag.text import analyzer
from rag.text.characters import sound
from rag.text.speech import DECLINES, GREETS, TALKS, spoken
from rag.types import Message

SHOWN = 6
"""How many messages, the latest, the model is shown."""
SHOWN_CHARACTERS = 1000
"""Characters of each message that the model is shown."""
SHOWN_BYTES = 4000
"""Bytes of all messages together that the model is shown, the latest first."""
PROMPT_TOKENS = 6000
"""An upper bound on the prompt without the question, by any tokenizer: a token has at least one byte."""
EXTRA_CHARACTERS = 300
"""A rewritten question may be this much longer than twice the question."""
KNOWN = 0.5
"""At least this share of the rewritten question's terms must occur in the conversation."""
SECONDS = 10.0
"""How long to wait for the model; `standalone` answers at once."""
MAX_TOKENS = 200
QUESTION_MARKS = ("?", "\uff1f", "\u061f", ";", "\u037e")
FULL_STOPS = (".", "\u3002")


class Rewriter:
    """One model with one version of the `rewrite` prompt. Calls may overlap.

    Raises `GroundwireError` if the model does not exist. It is tried once and has no fallback: if it fails, `standalone` replaces it.
    """

    def __init__(self, router: Router, model: str, prompt: Prompt, policy: CallPolicy) -> None:
        router.available((model,))
        self._router = router
        self._model = model
        self.prompt = prompt
        seconds = min(SECONDS, policy.total_seconds)
        self._policy = policy.model_copy(update={"fallbacks": (), "attempts": 1, "total_seconds": seconds})

    def request(self, question: str, history: Sequence[Message]) -> Request:
        """The request: the latest messages and the question, fenced, because their text may contain instructions."""
        shown = _shown(history)
        texts = [message.content for message in shown]
        rendered = self.prompt.render(history=shown, question=question, fence=fence(texts, question))
        return Request(
            model=self._model,
            messages=tuple(Message(**message) for message in rendered),
            max_tokens=MAX_TOKENS,
            seed=0,
            stop=self.prompt.stop,
            whole=True,
        )

    async def rewrite(self, question: str, history: Sequence[Message], log: CallLog) -> str:
        """The rewritten question; that of `standalone` if the call fails, or its reply is not such a question."""
        try:
            pieces = self._router.stream(self.request(question, history), self._policy, Purpose.REWRITE, log)
            async with aclosing(pieces):
                reply = sound("".join([piece async for piece in pieces if isinstance(piece, str)])).strip()
        except UpstreamError:
            return standalone(question, history)
        return reply if _asks_the_same(reply, question, history) else standalone(question, history)


def _shown(history: Sequence[Message]) -> list[Message]:
    """The beginnings of the latest messages, oldest first, as many as fit into `SHOWN_BYTES`."""
    spoken_by = (message for message in reversed(history) if message.role in (USER, ASSISTANT))
    shown: list[Message] = []
    room = SHOWN_BYTES
    for message in islice(spoken_by, SHOWN):
        content = break_control_tokens(message.content[:SHOWN_CHARACTERS]).encode()[:room].decode(errors="ignore")
        room -= len(content.encode())
        if not content:
            break
        shown.insert(0, Message(role=message.role, content=content))
    return shown


def _asks_the_same(reply: str, question: str, history: Sequence[Message]) -> bool:
    """Whether a reply is a one-line question about what the conversation is about."""
    said = spoken(reply)
    if not said or "\n" in reply or len(reply) > 2 * len(question) + EXTRA_CHARACTERS:
        return False
    if DECLINES.search(said) or TALKS.match(said) or GREETS.fullmatch(said):
        return False
    states = reply.endswith(FULL_STOPS) and not question.endswith(FULL_STOPS)
    if states or (question.endswith(QUESTION_MARKS) and not reply.endswith(QUESTION_MARKS)):
        return False
    language = analyzer.language(" ".join((question, *(message.content[:TURN] for message in history[-SHOWN:]))))
    before = {
        term
        for text in (question, *(message.content[:SHOWN_CHARACTERS] for message in history[-SHOWN:]))
        for term in analyzer.terms(text, language)
    }
    terms = analyzer.asked(reply, (language,))
    return sum(term in before for term in terms) >= KNOWN * len(terms)
