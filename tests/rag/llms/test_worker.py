"""A process of its own for calls: what crosses over, hanging up, and the end of either side."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag.errors import GroundwireError, UpstreamError
from rag.llms import worker
from rag.llms.worker import WorkerLLM
from tests.rag.llms.conftest import asking, drained, gone
from tests.servers.provider import Provider, Reply, failure

pytestmark = pytest.mark.anyio

OPENAI = "openai/gpt-4.1-mini"


@pytest.mark.parametrize("whole", [False, True], ids=["streamed", "whole"])
async def test_it_answers_as_the_model_does(provider: Provider, whole: bool) -> None:
    text, completion = await drained(WorkerLLM(OPENAI).stream(asking(OPENAI, whole=whole)))
    assert text == "It is forty-two [1]."
    assert completion.cost_nanodollars == 100 * 400 + 7 * 1600
    assert bool(provider.calls[0].body.get("stream")) is not whole


async def test_calls_overlap(provider: Provider) -> None:
    provider.script(Reply(held=True))
    llm = WorkerLLM(OPENAI)
    asked = [asyncio.create_task(drained(llm.stream(asking(OPENAI, whole=True)))) for _ in range(20)]
    await provider.holds(20)
    provider.let_go()
    await asyncio.gather(*asked)


async def test_a_failure_crosses_over_with_all_that_it_says(provider: Provider) -> None:
    provider.script(failure(429, "slow down", retry_after="7"))
    with pytest.raises(UpstreamError) as caught:
        await drained(WorkerLLM(OPENAI).stream(asking(OPENAI)))
    error = caught.value
    assert error.problem == f"{OPENAI} answered 429: slow down"
    assert (error.retryable, error.retry_after, error.throttled, error.timed_out, error.billed) == (True, 7, True, False, False)


async def test_a_prompt_of_a_megabyte_and_an_answer_in_many_scripts(provider: Provider) -> None:
    provider.script(Reply(pieces=("שלום ", "你好\n", "🙂")))
    text, _ = await drained(WorkerLLM(OPENAI).stream(asking(OPENAI, "long " * 200_000)))
    assert text == "שלום 你好\n🙂"
    assert len(provider.calls[0].text) >= 1_000_000


async def test_a_model_that_litellm_does_not_know(provider: Provider) -> None:
    with pytest.raises(GroundwireError, match=r"unknown model 'nobody-sells-this'.*name the provider"):
        WorkerLLM("nobody-sells-this")


async def test_hanging_up_ends_the_call(provider: Provider) -> None:
    provider.script(Reply(pieces=("word ",) * 2000, between=0.02))
    stream = WorkerLLM(OPENAI).stream(asking(OPENAI))
    await anext(stream)
    await stream.aclose()
    await provider.settled()
    assert provider.calls[0].disconnected


async def test_a_process_that_is_gone_is_told(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOTHER_KEY", "so that the process is this test's own")
    provider.script(Reply(held=True))
    llm = WorkerLLM(OPENAI)
    _, child = worker._STARTED[-1]
    answer = asyncio.create_task(drained(llm.stream(asking(OPENAI))))
    await provider.holds(1)
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    for broken in (answer, drained(llm.stream(asking(OPENAI)))):
        with pytest.raises(UpstreamError, match="the process that calls models is gone"):
            await broken


@pytest.mark.parametrize("end", ["exit", "SIGKILL", "SIGTERM"])
def test_it_ends_with_its_parent(end: str) -> None:
    script = "import time; from rag.llms import worker\nworker.prestart(); print(worker._STARTED[0][1].pid, flush=True)\n"
    with subprocess.Popen(
        [sys.executable, "-c", script + ("" if end == "exit" else "time.sleep(60)")], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        told = Path(f"/proc/{child}/cmdline").read_bytes() if Path("/proc/self").exists() else b""
        if end != "exit":
            parent.send_signal(signal.Signals[end])
        parent.wait()
    assert b"KEY" not in told
    assert gone(child)
