"""The clients that people have, against a real server: what they send is understood, and they understand what comes."""

import os
import subprocess
import sys
from shutil import which

import openai
import pytest
from langchain_openai import ChatOpenAI

from tests.api.conftest import Guarded
from tests.servers.provider import Provider, Reply

QUESTION = "How long is the warranty on a kettle?"
TRUE = "Kettles are covered for 24 months [1]."
PIECES = ("Kettles are covered ", "for 24 months [1].")


@pytest.fixture(autouse=True)
def scripted(upstream: Provider) -> None:
    upstream.script(Reply(pieces=PIECES, prompt=50, completion=9))


@pytest.mark.anyio
async def test_the_official_client_without_blocking(guarded: Guarded) -> None:
    async with openai.AsyncOpenAI(base_url=f"{guarded.url}/v1", api_key=guarded.team, max_retries=0) as client:
        messages = [{"role": "user", "content": QUESTION}]
        answer = await client.chat.completions.create(model="default", messages=messages)  # type: ignore[arg-type]
        assert answer.choices[0].message.content == TRUE
        stream = await client.chat.completions.create(model="default", messages=messages, stream=True)  # type: ignore[arg-type]
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == TRUE
        async with client.chat.completions.stream(model="default", messages=messages) as events:  # type: ignore[arg-type]
            final = await events.get_final_completion()
        assert final.choices[0].message.content == TRUE


LITELLM = """
import litellm, sys
litellm.suppress_debug_info = True
base, key, question = sys.argv[1:]
asked = dict(model="openai/default", api_base=base, api_key=key, messages=[{"role": "user", "content": question}], num_retries=0)
answer = litellm.completion(**asked)
print(answer.choices[0].message.content, answer.usage.total_tokens)
chunks = list(litellm.completion(**asked, stream=True, stream_options={"include_usage": True}))
print("".join(chunk.choices[0].delta.content or "" for chunk in chunks), chunks[-1].usage.total_tokens)
try:
    litellm.completion(**{**asked, "api_key": "gw_wrong"})
except litellm.AuthenticationError as error:
    print("refused")
"""


def test_litellm(guarded: Guarded) -> None:
    """In a process of its own, where nothing of ours has set it up."""
    command = [sys.executable, "-c", LITELLM, f"{guarded.url}/v1", guarded.team, QUESTION]
    done = subprocess.run(command, env={**os.environ, "LITELLM_LOG": "ERROR"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-3:] == [f"{TRUE} 59", f"{TRUE} 59", "refused"]


def test_langchain(guarded: Guarded) -> None:
    model = ChatOpenAI(model="default", base_url=f"{guarded.url}/v1", api_key=guarded.team, max_retries=0)  # type: ignore[arg-type]
    answer = model.invoke([("system", "Be kind."), ("human", QUESTION)])
    assert answer.content == TRUE
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 59
    chunks = list(model.stream(QUESTION, stream_usage=True))
    assert "".join(str(chunk.content) for chunk in chunks) == TRUE
    assert sum(chunk.usage_metadata["total_tokens"] for chunk in chunks if chunk.usage_metadata) == 59
    assert [found.content for found in model.batch([QUESTION, QUESTION])] == [TRUE, TRUE]
    with pytest.raises(openai.BadRequestError, match="tool_choice cannot be served"):
        model.bind_tools([{"name": "look", "description": "", "parameters": {}}], tool_choice="any").invoke(QUESTION)
    model.root_client.close()


@pytest.mark.skipif(which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("stream", ["false", "true"])
def test_curl(guarded: Guarded, stream: str) -> None:
    body = f'{{"model": "default", "stream": {stream}, "messages": [{{"role": "user", "content": "{QUESTION}"}}]}}'
    command = ["curl", "-sSN", "--fail-with-body", f"{guarded.url}/v1/chat/completions", "-H", "content-type: application/json"]
    done = subprocess.run(
        [*command, "-H", f"authorization: Bearer {guarded.team}", "-d", body], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("data: [DONE]" in done.stdout) == (stream == "true")
    assert TRUE in done.stdout or all(f'"content":"{piece}"' in done.stdout for piece in PIECES)
    refused = subprocess.run([*command, "-d", body], capture_output=True, text=True, check=False)
    assert "authentication_error" in refused.stdout
