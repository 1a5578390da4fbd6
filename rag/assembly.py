"""The messages of an answer, put together: the prompt, what was said before, and as many passages as there is room for.

Knows where each stands, and which window is the smallest. Knows nothing of what is done with them.
"""

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import takewhile

from prompts.fence import fence
from prompts.prompt import Prompt
from rag.context import Context, NoRoomError, pack
from rag.conversation.history import recent
from rag.errors import UpstreamError
from rag.llms.router import Router
from rag.types import Message, Passage
from rag.variant import Variant

TOKENIZERS = 2
"""Tokens of any model for one of another, at most."""
SITUATION = 100
"""Tokens that the title and the headings of a passage may take."""
SAID = 0.5
"""Tokens that may be sent of what was said before, for each of the passages'."""


class Assembly:
    """By one variant and its prompt. Raises `GroundwireError` for a model that is unknown, `UpstreamError` where none is installed."""

    def __init__(self, variant: Variant, prompt: Prompt, router: Router) -> None:
        self.models = router.available((variant.llm.model, *variant.llm.fallbacks))
        self._variant = variant
        self._prompt = prompt
        self._router = router

    def tokens(self, question: str) -> int:
        """Of the messages at most, by the tokenizer of any model."""
        bare = sum(len(message.content.encode()) for message in self._render(question, (), ()))
        rules = self._variant.retriever
        return bare + TOKENIZERS * (int((1 + SAID) * rules.context_tokens) + SITUATION * rules.top_k)

    async def packed(self, question: str, passages: Sequence[Passage], history: Sequence[Message] = ()) -> Context:
        """The passages, and what was said before where there is any, into the smallest window of all models that may answer.

        Counted by the tokenizer of the first that can be asked for it. What was said gives way where no passage fits beside it.
        """
        failure: UpstreamError | None = None
        for model in self.models:
            try:
                return await self._packed(model, question, passages, history)
            except UpstreamError as error:
                failure = error
        assert failure
        raise failure

    async def _packed(self, model: str, question: str, passages: Sequence[Passage], history: Sequence[Message]) -> Context:
        windows = [window for model in self.models if (window := self._router.llm(model).window(model))]
        budget, count = self._variant.retriever.context_tokens, partial(self._router.llm(model).count_tokens, model)
        room = min([self.tokens(question), *(window - self._variant.llm.max_tokens for window in windows)])
        packing = partial(pack, passages, budget=budget, room=room, count=count)
        if said := await recent(history, int(SAID * budget), count) if history else ():
            with suppress(NoRoomError):
                return _fenced(question, said, await packing(render=partial(self._render, question, said)))
        return _fenced(question, (), await packing(render=partial(self._render, question, ())))

    def _render(self, question: str, said: Sequence[Message], passages: Sequence[Passage]) -> tuple[Message, ...]:
        messages = self._prompt.render(question=question, passages=passages, fence=_fence(question, said, passages))
        rendered = [Message(**message) for message in messages]
        head = list(takewhile(lambda message: message.role == "system", rendered))
        return (*head, *said, *rendered[len(head) :])


def _fence(question: str, said: Sequence[Message], passages: Sequence[Passage]) -> str:
    texts = [text for passage in passages for text in (passage.title, *passage.headings, passage.text)]
    return fence([*texts, *(message.content for message in said)], question)


def _fenced(question: str, said: Sequence[Message], context: Context) -> Context:
    return context._replace(fence=_fence(question, said, context.passages))
