"""The OpenAI wire format, read by the official SDK."""

import httpx
import openai
import pytest

from rag.runtime import Runtime
from tests.servers.provider import Provider, Reply, failure

MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How long is the warranty on a kettle?"}]
TRUE = "Kettles are covered for 24 months [1]."


@pytest.fixture
def client(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0)


def test_the_sdk_gets_a_json_answer_with_usage_and_our_extension(
    client: openai.OpenAI, upstream: Provider, runtime: Runtime
) -> None:
    upstream.script(Reply(pieces=(TRUE,), prompt=50, completion=9, cached=20))
    answer = client.chat.completions.create(model="default", messages=MESSAGES)
    assert answer.choices[0].message.content == TRUE
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (50, 9, 59)
    assert answer.usage.prompt_tokens_details is not None
    assert answer.usage.prompt_tokens_details.cached_tokens == 20
    extension = (answer.model_extra or {})["groundwire"]
    assert extension["claims"][0]["verdict"] == "supported"
    assert runtime.traces.get(extension["trace_id"]).answer == TRUE
    assert answer.id.endswith(extension["trace_id"])


def test_the_sdk_gets_a_stream(client: openai.OpenAI, upstream: Provider) -> None:
    upstream.script(Reply(pieces=("Kettles are covered ", "for 24 months [1].")))
    stream = client.chat.completions.create(
        model="default", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == TRUE
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert (chunks[-2].model_extra or {})["groundwire"]["outcome"] == "answered"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 107
    assert len({chunk.id for chunk in chunks}) == 1


def test_content_may_come_in_parts(client: openai.OpenAI, upstream: Provider) -> None:
    parts = [{"type": "text", "text": "How long is the warranty "}, {"type": "text", "text": "on a kettle?"}]
    client.chat.completions.create(model="default", messages=[{"role": "user", "content": parts}])
    assert "How long is the warranty on a kettle?" in upstream.calls[0].body["messages"][-1]["content"]


def test_models_are_the_variants(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"default", "careful", "extractive", "hasty"}


def test_an_unknown_model_is_the_sdks_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="variant gpt-9 does not exist: there are careful, default"):
        client.chat.completions.create(model="gpt-9", messages=MESSAGES)


def test_messages_that_ask_nothing_are_a_bad_request(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="end them with a user message"):
        client.chat.completions.create(model="default", messages=[{"role": "assistant", "content": "Hello"}])


def test_a_failure_upstream_is_an_error_streamed_or_not(client: openai.OpenAI, upstream: Provider) -> None:
    upstream.script(failure(500))
    with pytest.raises(openai.InternalServerError, match="answered 500"):
        client.chat.completions.create(model="default", messages=MESSAGES)
    with pytest.raises(openai.APIError, match="answered 500"):
        list(client.chat.completions.create(model="default", messages=MESSAGES, stream=True))


def test_a_policy_that_mends_holds_the_text_back(client: openai.OpenAI, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(TRUE, " It costs 99 dollars a year.")))
    stream = client.chat.completions.create(model="careful", messages=MESSAGES, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    assert TRUE in text
    assert "99" not in text
    assert upstream.calls[0].path == "/v1/messages"


def test_plain_lines_end_with_done(url: str) -> None:
    body = {"model": "extractive", "stream": True, "messages": MESSAGES}
    lines = [line for line in httpx.post(f"{url}/v1/chat/completions", json=body).text.splitlines() if line]
    assert all(line.startswith("data: ") for line in lines)
    assert lines[-1] == "data: [DONE]"


def test_a_turn_of_the_assistant_may_have_no_content(client: openai.OpenAI) -> None:
    turns = [{"role": "assistant", "content": None}, *MESSAGES]
    assert client.chat.completions.create(model="extractive", messages=turns).choices[0].message.content


def test_a_request_out_of_shape_is_an_error_in_the_wire_format(client: openai.OpenAI) -> None:
    with pytest.raises(openai.UnprocessableEntityError, match="messages: List should have at least 1 item"):
        client.chat.completions.create(model="default", messages=[])
