"""A provider that ignores how long an answer may be: it is read no further, and keeps nobody else waiting."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest
from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler

from rag.errors import UpstreamError
from rag.llms.base import CallLog, CallPolicy, Purpose
from rag.llms.router import TOKEN, Router
from rag.llms.streams import read
from tests.rag.llms.conftest import asking, drained
from tests.servers.provider import Provider, Reply

pytestmark = pytest.mark.anyio
MODELS = ["openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5"]
FLOOD = Reply(pieces=("going on ",) * 20_000)


@pytest.fixture
async def router(provider: Provider) -> AsyncIterator[Router]:
    router = Router()
    yield router
    await router.close()


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("model", MODELS)
async def test_an_answer_is_cut_off_far_beyond_its_tokens(router: Router, provider: Provider, model: str, whole: bool) -> None:
    provider.script(FLOOD)
    log = CallLog()
    request = asking(model, whole=whole).model_copy(update={"max_tokens": 10})
    text, completion = await drained(router.stream(request, CallPolicy(attempts=1), Purpose.ANSWER, log))
    assert len(text) == 10 * TOKEN
    (attempt,) = log.attempts
    assert completion.finish_reason == attempt.finish_reason == "length"
    assert attempt.overrun
    assert attempt.estimated is not whole
    assert attempt.error is None
    assert attempt.cost_nanodollars == completion.cost_nanodollars != 0
    await provider.settled()


async def test_white_space_without_end_is_no_answer(router: Router, provider: Provider) -> None:
    provider.script(Reply(pieces=("\n" * 500,) * 1000))
    with pytest.raises(UpstreamError, match="gave no text"):
        await drained(router.stream(asking(MODELS[0]), CallPolicy(attempts=1), Purpose.ANSWER, CallLog()))


@pytest.mark.parametrize("whole", [False, True])
async def test_white_space_without_end_is_put_on_record(router: Router, provider: Provider, whole: bool) -> None:
    provider.script(Reply(pieces=("\n" * 500,) * 1000))
    log = CallLog()
    with pytest.raises(UpstreamError, match="gave no text"):
        await drained(router.stream(asking(MODELS[0], whole=whole), CallPolicy(attempts=1), Purpose.ANSWER, log))
    (attempt,) = log.attempts
    assert attempt.overrun
    assert attempt.estimated is not whole


class Endless:
    """A stream of events without text, all of which are there already. litellm has one shape for OpenAI's own, and one for all others."""

    def __init__(self, kind: str) -> None:
        self.completion_stream: object = None
        if kind == "openai":
            self.completion_stream = OpenAIChatCompletionStreamingHandler.__new__(OpenAIChatCompletionStreamingHandler)
            self.completion_stream.http_response = self  # type: ignore[attr-defined]

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        while True:
            yield b'data: {"choices": []}\n\n'

    async def __aiter__(self) -> AsyncIterator[SimpleNamespace]:
        while True:
            yield SimpleNamespace(model=None, choices=())


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["openai", "other"])
async def test_a_flood_without_text_keeps_no_deadline_from_being_held(kind: str) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            async for _ in read(Endless(kind)):
                pass


async def test_a_line_without_end_is_not_kept(router: Router, provider: Provider) -> None:
    provider.script(Reply(pieces=("x" * 2_000_000,)))
    with pytest.raises(UpstreamError, match="an event of more than 1000000 bytes"):
        await drained(router.stream(asking(MODELS[0]), CallPolicy(attempts=1), Purpose.ANSWER, CallLog()))
