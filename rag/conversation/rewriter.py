"""A model that rewrites a question, asked after others, into one that stands by itself.

Knows a prompt and how far a reply may be trusted. Knows no provider.
"""

from collections.abc import Sequence
from contextlib import aclosing
from itertools import islice

from prompts.fence import fence
from prompts.prompt import Prompt, plain
from rag.conversation.history import ASSISTANT, TURN, USER, standalone
from rag.errors import UpstreamError
from rag.llms.base import Attempt, CallPolicy, Purpose, Request
from rag.llms.router import Router
from rag.text import analyzer
from rag.text.characters import sound
from rag.text.speech import DECLINES, GREETS, TALKS, spoken
from rag.types import Message

SHOWN = 6
"""Messages that a rewriting model is shown."""
MESSAGE = 1000
"""Characters of each."""
SHOWN_BYTES = 4000
"""Of all of them together, the latest first."""
PROMPT_TOKENS = 6000
"""Of a rewriting's prompt without the question, at most, by any tokenizer: a token is a byte at least."""
LONGEST = 300
"""Characters that a rewriting may have beyond twice those of the question."""
KNOWN = 0.5
"""The share of a rewriting's terms, at least, that were said before."""
SECONDS = 10.0
"""That a rewriting is waited for: the deterministic one costs nothing."""
MAX_TOKENS = 200
QUESTION_MARKS = ("?", "\uff1f", "\u061f", ";", "\u037e")
FULL_STOPS = (".", "\u3002")


class Rewriter:
    """One model with one version of the `rewrite` prompt. Calls may overlap.

    Raises `GroundwireError` where the model does not exist. It is tried once, and the policy's fallbacks are not used: where it
    fails, words that were said do.
    """

    def __init__(self, router: Router, model: str, prompt: Prompt, policy: CallPolicy) -> None:
        router.available((model,))
        self._router = router
        self._model = model
        self.prompt = prompt
        seconds = min(SECONDS, policy.total_seconds)
        self._policy = policy.model_copy(update={"fallbacks": (), "attempts": 1, "total_seconds": seconds})

    def request(self, question: str, history: Sequence[Message]) -> Request:
        """What the model is asked: the latest messages and the question, fenced, for whoever wrote them may want something else."""
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

    async def rewrite(self, question: str, history: Sequence[Message], began: float, attempts: list[Attempt]) -> str:
        """The question as it would be asked by itself; `standalone` where the call fails or brings no such question.

        The try is appended to `attempts`, as by `Router.stream`, for which `began` is meant, too.
        """
        try:
            pieces = self._router.stream(self.request(question, history), self._policy, Purpose.REWRITE, began, attempts)
            async with aclosing(pieces):
                reply = sound("".join([piece async for piece in pieces if isinstance(piece, str)])).strip()
        except UpstreamError:
            return standalone(question, history)
        return reply if _asks_the_same(reply, question, history) else standalone(question, history)


def _shown(history: Sequence[Message]) -> list[Message]:
    """The beginnings of the latest messages, oldest first, as many as there is room for."""
    spoken_by = (message for message in reversed(history) if message.role in (USER, ASSISTANT))
    shown: list[Message] = []
    room = SHOWN_BYTES
    for message in islice(spoken_by, SHOWN):
        content = plain(message.content[:MESSAGE]).encode()[:room].decode(errors="ignore")
        room -= len(content.encode())
        if not content:
            break
        shown.insert(0, Message(role=message.role, content=content))
    return shown


def _asks_the_same(reply: str, question: str, history: Sequence[Message]) -> bool:
    """Whether a model's reply is one line that asks, of what was spoken of."""
    said = spoken(reply)
    if not said or "\n" in reply or len(reply) > 2 * len(question) + LONGEST:
        return False
    if DECLINES.search(said) or TALKS.match(said) or GREETS.fullmatch(said):
        return False
    states = reply.endswith(FULL_STOPS) and not question.endswith(FULL_STOPS)
    if states or (question.endswith(QUESTION_MARKS) and not reply.endswith(QUESTION_MARKS)):
        return False
    language = analyzer.language(" ".join((question, *(message.content[:TURN] for message in history[-SHOWN:]))))
    before = {
        term
        for text in (question, *(message.content[:MESSAGE] for message in history[-SHOWN:]))
        for term in analyzer.terms(text, language)
    }
    terms = analyzer.asked(reply, (language,))
    return sum(term in before for term in terms) >= KNOWN * len(terms)
