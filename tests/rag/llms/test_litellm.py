"""Both wire formats over a real connection: what arrives, what it cost, and every way it goes wrong."""

import asyncio
import email.utils
import inspect
import json
import logging
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

from rag.errors import GroundwireError, UpstreamError
from rag.llms import open_llm
from rag.llms.base import Completion, Usage
from rag.llms.litellm import LiteLLM, missing_key
from tests.rag.llms.conftest import asking, drained
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio

OPENAI, ANTHROPIC = "openai/gpt-4.1-mini", "anthropic/claude-sonnet-4-5"
BOTH = pytest.mark.parametrize("model", [OPENAI, ANTHROPIC])
WHOLE = pytest.mark.parametrize("whole", [False, True], ids=["streamed", "whole"])


async def failing(model: str, *, whole: bool = False) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        await drained(LiteLLM(model).stream(asking(model, whole=whole)))
    assert model in caught.value.problem
    return caught.value


@WHOLE
@pytest.mark.parametrize(
    ("model", "usage", "cost"),
    [
        (OPENAI, Usage(prompt=100, completion=7, cached=40, reasoning=3), 60 * 400 + 40 * 100 + 7 * 1600),
        (ANTHROPIC, Usage(prompt=100, completion=7, cached=40, cache_written=20), 40 * 3000 + 40 * 300 + 20 * 3750 + 7 * 15000),
    ],
)
async def test_gives_text_then_what_was_billed(provider: Provider, model: str, usage: Usage, cost: int, whole: bool) -> None:
    provider.script(
        Reply(
            prompt=usage.prompt,
            completion=usage.completion,
            cached=usage.cached,
            cache_written=usage.cache_written,
            reasoning=usage.reasoning,
        )
    )
    text, completion = await drained(open_llm(model).stream(asking(model, whole=whole)))
    assert text == "It is forty-two [1]."
    assert completion == Completion(model=model.split("/")[1], usage=usage, cost_nanodollars=cost, finish_reason="stop")
    [call] = provider.calls
    assert bool(call.body.get("stream")) is not whole
    assert call.body["temperature"] == 0
    assert call.body["max_tokens"] == 512
    assert call.body.get("seed") == (1 if model == OPENAI else None)


@BOTH
async def test_passes_pieces_on_as_they_arrive(provider: Provider, model: str) -> None:
    await drained(LiteLLM(model).stream(asking(model)))
    provider.script(Reply(between=0.1))
    stream = LiteLLM(model).stream(asking(model))
    assert await anext(stream) == "It is "
    assert not provider.calls[0].ended
    assert [piece async for piece in stream][:-1] == ["forty", "-two [1]."]


def event(text: str, finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return f"data: {json.dumps({'model': 'm', 'choices': [choice]}, ensure_ascii=False)}\r\n\r\n".encode()


@asynccontextmanager
async def arriving(
    first: bytes, rest: bytes = b""
) -> AsyncIterator[tuple[AsyncGenerator[str | Completion, None], asyncio.Event]]:
    """A stream whose server writes `first` in one, and `rest` once the event is set."""
    seen = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + first)
        await seen.wait()
        writer.write(rest)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with aclosing(
            LiteLLM(OPENAI, base_url=f"http://127.0.0.1:{port}/v1", key="sk-test").stream(asking(OPENAI))
        ) as stream:
            yield stream, seen


async def test_words_that_arrive_together_are_passed_on_together() -> None:
    euros = event(" €5")
    middle = euros.index("€".encode()) + 1
    first, rest = event("It") + event(" costs") + euros[:middle], euros[middle:] + event(".", "stop")
    async with arriving(first, rest) as (stream, seen):
        assert await anext(stream) == "It costs"
        seen.set()
        *texts, completion = [piece async for piece in stream]
    assert texts == [" €5."]
    assert isinstance(completion, Completion)
    assert completion.finish_reason == "stop"


async def test_words_that_arrive_together_with_a_failure_come_before_it() -> None:
    failed = b'data: {"error": {"message": "overloaded", "code": 529}}\n\n'
    async with arriving(event("It costs") + failed) as (stream, seen):
        seen.set()
        assert await anext(stream) == "It costs"
        with pytest.raises(UpstreamError, match="overloaded"):
            await anext(stream)


def test_calls_are_made_below_what_prices_and_logs_them() -> None:
    from rag.llms.litellm import library

    call = library().acompletion
    assert inspect.unwrap(call) is not call
    assert "litellm_logging_obj" not in inspect.signature(inspect.unwrap(call)).parameters
    assert inspect.unwrap(call).__module__ == "litellm.main"


@BOTH
@WHOLE
async def test_an_answer_that_reached_its_limit_says_so(provider: Provider, model: str, whole: bool) -> None:
    provider.script(Reply(finish_reason="length"))
    _, completion = await drained(LiteLLM(model).stream(asking(model, whole=whole)))
    assert completion.finish_reason == "length"


@WHOLE
async def test_tokens_that_were_not_told_are_not_made_up(provider: Provider, whole: bool) -> None:
    provider.script(Reply(usage=False))
    _, completion = await drained(LiteLLM(OPENAI).stream(asking(OPENAI, whole=whole)))
    assert completion.usage == Usage()
    assert completion.cost_nanodollars is None


async def test_an_unknown_price_is_null(provider: Provider) -> None:
    _, completion = await drained(LiteLLM("openai/a-model-nobody-sells").stream(asking("openai/a-model-nobody-sells")))
    assert completion.usage == Usage(prompt=100, completion=7)
    assert completion.cost_nanodollars is None


@BOTH
@pytest.mark.parametrize("end", ["cut", "drop", "malformed", "error"])
@pytest.mark.parametrize("pieces", [(), ("It is ", "forty")])
async def test_a_stream_that_breaks_off_is_an_error(provider: Provider, model: str, end: str, pieces: tuple[str, ...]) -> None:
    provider.script(Reply(pieces=pieces, end=end))  # type: ignore[arg-type]
    error = await failing(model)
    assert error.retryable
    assert error.billed
    assert len(provider.calls) == 1


@BOTH
@WHOLE
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
async def test_what_may_pass_is_retryable_and_not_retried_here(provider: Provider, model: str, status: int, whole: bool) -> None:
    provider.script(failure(status, "we are very busy"))
    error = await failing(model, whole=whole)
    assert error.retryable
    assert not error.billed
    assert "we are very busy" in error.problem
    assert error.retry_after is None
    assert len(provider.calls) == 1


@BOTH
@WHOLE
@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_what_will_not_pass_is_not_retryable(provider: Provider, model: str, status: int, whole: bool) -> None:
    provider.script(failure(status, "no such thing"))
    error = await failing(model, whole=whole)
    assert not error.retryable
    assert not error.billed
    assert f"{model} answered {status}: no such thing" == error.problem


@BOTH
async def test_retry_after_is_seconds_or_a_date(provider: Provider, model: str) -> None:
    provider.script(
        failure(429, retry_after="2.5"),
        failure(503, retry_after=email.utils.formatdate(time.time() + 60, usegmt=True)),
        failure(429, retry_after="soon"),
    )
    assert (await failing(model)).retry_after == 2.5
    assert (await failing(model)).retry_after == pytest.approx(60, abs=5)
    assert (await failing(model)).retry_after is None


@BOTH
async def test_a_missing_key_is_told_before_any_call(provider: Provider, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"{model.split('/')[0].upper()}_API_KEY"
    monkeypatch.delenv(variable)
    error = await failing(model)
    assert not error.retryable
    assert error.mend == f"set {variable}"
    assert not provider.calls


@BOTH
async def test_a_server_that_is_not_there(provider: Provider, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    error = await failing(model)
    assert error.retryable
    assert not error.billed


@BOTH
async def test_closing_the_stream_ends_the_call(provider: Provider, model: str) -> None:
    provider.script(Reply(pieces=("word ",) * 2000, between=0.02))
    stream = LiteLLM(model).stream(asking(model))
    await anext(stream)
    await stream.aclose()
    await provider.settled()
    assert provider.calls[0].disconnected
    assert provider.calls[0].sent < 2000


@BOTH
@pytest.mark.parametrize("key", ["sk-very-secret-1234567890", "sk-very-secret-1234567890\n"])
async def test_keys_are_in_no_error_and_no_log(
    provider: Provider,
    model: str,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OPENAI_API_KEY", key)
    monkeypatch.setenv("ANTHROPIC_API_KEY", key)
    provider.script(failure(401, f"the key {key.strip()} is wrong"))
    error = await failing(model)
    told = "".join(traceback.format_exception(error)) + caplog.text + "".join(capfd.readouterr())
    assert "very-secret" not in told


@BOTH
async def test_a_server_that_is_not_there_is_told_in_words(
    provider: Provider, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_API_KEY", "x")
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9")
    told = str(await failing(model))
    assert "127.0.0.1:9" in told
    for noise in ("API_KEY", "object at", "ssl"):
        assert noise not in told


@pytest.mark.parametrize("model", ["gpt-nonsense", "nobody/knows", "", "local/nothing"])
def test_a_model_that_cannot_be_placed(model: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(GroundwireError) as caught:
        open_llm(model)
    assert repr(model) in caught.value.problem
    assert capfd.readouterr() == ("", "")


def test_importing_the_backends_imports_nothing_heavy() -> None:
    modules = "rag.llms.litellm, rag.llms.local, rag.llms.router, rag.llms.extractive"
    heavy = "{'litellm', 'openai', 'anthropic', 'httpx', 'xllamacpp'} & set(sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {modules}; print({heavy} or 'light')"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "light", done.stderr


def test_a_key_may_stand_under_any_of_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PERPLEXITY_API_KEY", "PERPLEXITYAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    assert missing_key("perplexity/sonar") == "PERPLEXITYAI_API_KEY"
    monkeypatch.setenv("PERPLEXITY_API_KEY", "pplx-nobodys")
    assert missing_key("perplexity/sonar") is None
