"""The most that a request can cost, as it is reserved before the request runs."""

import pytest

from rag.runtime import Runtime
from rag.trace import Outcome
from tests.rag.pipeline.asking import QUESTION, pipeline, text_and_trace
from tests.servers.provider import Provider, Reply

pytestmark = pytest.mark.anyio


async def test_a_request_never_costs_more_than_its_maximum(runtime: Runtime, provider: Provider) -> None:
    """Every try of every model comes too late, and may be billed for all that it was allowed."""
    answering = await pipeline(runtime, fallbacks=("openai/gpt-4.1",), first_token_seconds=0.5)
    await text_and_trace(await pipeline(runtime))
    provider.script(Reply(first=5), Reply(first=5))
    most = answering.max_cost(QUESTION)
    _, trace = await text_and_trace(answering)
    sent = [len("".join(str(message["content"]) for message in call.body["messages"]).encode()) for call in provider.calls]
    assert (trace.outcome, len(sent)) == (Outcome.TIMED_OUT, 2)
    prices = {"gpt-4.1-mini": (400, 1600), "gpt-4.1": (2000, 8000)}
    billed = 0
    for call, size in zip(provider.calls, sent, strict=True):
        prompt, completion = prices[call.body["model"]]
        billed += size // 3 * prompt + 256 * completion
    assert most is not None
    assert billed <= most < 20 * billed


async def test_the_maximum_is_unknown_for_a_model_without_a_price(runtime: Runtime, provider: Provider) -> None:
    assert (await pipeline(runtime, model="openai/nobody-knows")).max_cost(QUESTION) is None
    assert (await pipeline(runtime, model="local/extractive")).max_cost(QUESTION) == 0
