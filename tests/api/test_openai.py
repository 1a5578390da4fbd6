"""The OpenAI wire format, read by the official SDK."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from api.chat import LONGEST
from rag.runtime import Runtime
from tests.api.conftest import Guarded
from tests.servers.provider import Provider, Reply, failure

MESSAGES = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "How long is the warranty on a kettle?"}]
TRUE = "Kettles are covered for 24 months [1]."


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
        yield client


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


def test_without_being_asked_for_a_stream_has_no_usage(client: openai.OpenAI) -> None:
    chunks = list(client.chat.completions.create(model="default", messages=MESSAGES, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_an_answer_names_its_trace_in_the_headers_too(client: openai.OpenAI, runtime: Runtime) -> None:
    raw = client.chat.completions.with_raw_response.create(model="default", messages=MESSAGES)
    answer = raw.parse()
    id = (answer.model_extra or {})["groundwire"]["trace_id"]
    assert answer._request_id == raw.headers["x-groundwire-trace"] == id
    with client.chat.completions.with_streaming_response.create(model="default", messages=MESSAGES, stream=True) as streamed:
        assert streamed.headers["cache-control"] == "no-cache"
        assert streamed.headers["x-accel-buffering"] == "no"
        assert json.loads(next(streamed.iter_lines()).removeprefix("data: "))["id"].endswith(streamed.headers["x-request-id"])
    assert runtime.traces.get(id).outcome == "answered"


def test_the_extension_tells_what_is_cited_and_how_the_claims_fared(client: openai.OpenAI, upstream: Provider) -> None:
    upstream.script(Reply(pieces=(f"{TRUE} It costs 99 dollars a year [7].",)))
    answer = client.chat.completions.create(model="default", messages=MESSAGES)
    told = (answer.model_extra or {})["groundwire"]
    assert [(cited["number"], cited["document_id"].rpartition("/")[2]) for cited in told["citations"]] == [(1, "kettles.md")]
    assert told["verdicts"]["supported"] == 1
    assert sum(told["verdicts"].values()) == len(told["claims"]) == 2
    assert (told["experiment"], told["arm"], told["variant"]) == (None, None, "default")
    assert "answer" not in told


def test_an_answer_that_was_cut_short_says_so(client: openai.OpenAI, upstream: Provider) -> None:
    upstream.script(Reply(pieces=("Kettles are",), finish_reason="length"))
    assert client.chat.completions.create(model="default", messages=MESSAGES).choices[0].finish_reason == "length"
    chunks = list(client.chat.completions.create(model="default", messages=MESSAGES, stream=True))
    assert chunks[-1].choices[0].finish_reason == "length"


def test_messages_before_the_question_are_its_history(client: openai.OpenAI, runtime: Runtime) -> None:
    turns: list[Any] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Do you sell kettles?"}]},
        {"role": "assistant", "content": "Yes [1]."},
        {"role": "assistant", "content": None, "tool_calls": []},
        {"role": "tool", "content": "{}", "tool_call_id": "1"},
        {"role": "user", "content": "How long is the warranty?"},
    ]
    answer = client.chat.completions.create(model="extractive", messages=turns, user="lovelace")
    trace = runtime.traces.get((answer.model_extra or {})["groundwire"]["trace_id"])
    assert trace.question == "How long is the warranty?"
    assert [(said.role, said.content) for said in trace.history] == [("user", "Do you sell kettles?"), ("assistant", "Yes [1].")]


def test_a_user_is_told_apart_and_never_named(url: str, runtime: Runtime) -> None:
    def unit(headers: dict[str, str], **fields: str) -> str | None:
        body = {"model": "extractive", "messages": MESSAGES, **fields}
        id = httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers).headers["x-groundwire-trace"]
        assert "lovelace" not in runtime.traces.get(id).model_dump_json()
        return runtime.traces.get(id).origin.unit

    named = unit({}, user="lovelace")
    assert named
    assert unit({}, safety_identifier="lovelace", user="hopper") == unit({"x-session-id": "lovelace"}) == named
    assert unit({"x-session-id": "lovelace"}, user="hopper") not in (None, named)
    assert unit({}) is None


def test_a_filter_and_a_collection_are_extra_fields(client: openai.OpenAI) -> None:
    extra = {"where": {"shelf": "none"}}
    told = client.chat.completions.create(model="extractive", messages=MESSAGES, extra_body=extra).model_extra or {}
    assert (told["groundwire"]["outcome"], told["groundwire"]["passages"]) == ("refused", [])
    with pytest.raises(openai.NotFoundError, match="collection nope does not exist"):
        client.chat.completions.create(model="extractive", messages=MESSAGES, extra_body={"collection": "nope"})


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize(
    "unable",
    [
        {"n": 2},
        {"tools": [TOOL], "tool_choice": "required"},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}}},
        {"function_call": {"name": "look"}},
        {"response_format": {"type": "json_object"}},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "alloy", "format": "mp3"}},
        {"logprobs": True},
        {"web_search_options": {}},
    ],
    ids=lambda unable: next(reversed(unable)),
)
def test_what_cannot_be_done_is_refused_rather_than_left_out(
    client: openai.OpenAI, upstream: Provider, unable: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError, match=f"{next(reversed(unable))} cannot be served"):
        client.chat.completions.create(model="default", messages=MESSAGES, **unable)
    assert upstream.calls == []


def test_what_changes_nothing_is_accepted(client: openai.OpenAI) -> None:
    idle: dict[str, Any] = {
        "n": 1,
        "tools": [TOOL],
        "tool_choice": "auto",
        "response_format": {"type": "text"},
        "logprobs": False,
    }
    sampling: dict[str, Any] = {
        "temperature": 1.5,
        "top_p": 0.5,
        "seed": 1,
        "max_tokens": 5,
        "stop": ["."],
        "logit_bias": {"1": 2},
    }
    others: dict[str, Any] = {"modalities": ["text"], "metadata": {"a": "b"}, "store": False, "parallel_tool_calls": False}
    assert client.chat.completions.create(model="extractive", messages=MESSAGES, **idle, **sampling, **others).choices


def test_only_text_can_be_asked(client: openai.OpenAI) -> None:
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    with pytest.raises(openai.UnprocessableEntityError, match="only text can be asked, not image_url"):
        client.chat.completions.create(model="default", messages=[{"role": "user", "content": parts}])


def test_a_question_can_be_too_long(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=f"ask in at most {LONGEST}"):
        client.chat.completions.create(model="default", messages=[{"role": "user", "content": "a" * (LONGEST + 1)}])


def test_content_may_come_in_parts(client: openai.OpenAI, upstream: Provider) -> None:
    parts = [{"type": "text", "text": "How long is the warranty "}, {"type": "text", "text": "on a kettle?"}]
    client.chat.completions.create(model="default", messages=[{"role": "user", "content": parts}])
    assert "How long is the warranty on a kettle?" in upstream.calls[0].body["messages"][-1]["content"]


def test_models_are_the_variants(client: openai.OpenAI) -> None:
    assert {model.id for model in client.models.list()} == {"default", "careful", "extractive", "hasty"}


def test_a_key_is_shown_the_models_that_it_may_use(guarded: Guarded) -> None:
    def client(key: str) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{guarded.url}/v1", api_key=key, max_retries=0)

    with client(guarded.bound) as bound:
        assert [model.id for model in bound.models.list()] == ["extractive"]
        assert bound.models.retrieve("extractive").owned_by == "groundwire"
        with pytest.raises(openai.NotFoundError, match="model default does not exist"):
            bound.models.retrieve("default")
        assert bound.chat.completions.create(model="extractive", messages=MESSAGES).choices
        with pytest.raises(openai.PermissionDeniedError, match="may not use the model default"):
            bound.chat.completions.create(model="default", messages=MESSAGES)
    for unknown in ("unused", guarded.bound[:-1]):
        with client(unknown) as stranger, pytest.raises(openai.AuthenticationError) as refused:
            stranger.chat.completions.create(model="extractive", messages=MESSAGES)
        assert refused.value.code == "invalid_api_key"
        assert unknown not in str(refused.value)
    with client(guarded.team) as team:
        assert len(list(team.models.list())) == 4


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
