"""Assembles the messages of a call: the prompt, the conversation so far, and as many passages as there is room for.

Knows their order, and which model's window is the smallest. Knows nothing of what is done with them.
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

TOKENIZER_RATIO = 2
"""How many more tokens one tokenizer may produce than another."""
HEADING_TOKENS = 100
"""Tokens that the title and the headings of a passage may take."""
HISTORY_SHARE = 0.5
"""Token budget of the history, as a share of the passages' budget."""


class Assembly:
    """For one variant and its prompt. Raises `GroundwireError` for an unknown model, `UpstreamError` if no model is installed."""

    def __init__(self, variant: Variant, prompt: Prompt, router: Router) -> None:
        self.models = router.available((variant.llm.model, *variant.llm.fallbacks))
        self._variant = variant
        self._prompt = prompt
        self._router = router

    def tokens(self, question: str) -> int:
        """An upper bound on the tokens of the messages, by the tokenizer of any model."""
        bare = sum(len(message.content.encode()) for message in self._render(question, (), ()))
        rules = self._variant.retriever
        return bare + TOKENIZER_RATIO * (int((1 + HISTORY_SHARE) * rules.context_tokens) + HEADING_TOKENS * rules.top_k)

    async def packed(self, question: str, passages: Sequence[Passage], history: Sequence[Message] = ()) -> Context:
        """Pack passages and history into the smallest window of all models that may answer.

        Tokens are counted by the first model whose tokenizer works. The history is left out if no passage fits beside it.
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
        windows = [window for model in self.models if (window := self._router.llm(model).window())]
        budget, count = self._variant.retriever.context_tokens, self._router.llm(model).count_tokens
        room = min([self.tokens(question), *(window - self._variant.llm.max_tokens for window in windows)])
        packing = partial(pack, passages, budget=budget, room=room, count=count)
        if said := await recent(history, int(HISTORY_SHARE * budget), count) if history else ():
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
