"""Spans, as a real receiver of OTLP gets them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from api.telemetry import spans
from rag.llms.base import Attempt, Purpose
from rag.trace import Channel, Outcome, Trace
from rag.types import Message
from tests.api.telemetry.conftest import ID, QUESTION
from tests.servers.otlp import Collector, Received

ROOT = Path(__file__).parents[3]
BEGAN = int(datetime.fromisoformat("2026-11-23T09:00:00.250+00:00").timestamp() * 1000) * 1_000_000


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in (*spans.ENDPOINTS, spans.CONTENT, "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES"):
        monkeypatch.delenv(name, raising=False)
    # What another test has found in its environment is forgotten.
    spans.stop()
    yield
    spans.stop()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        yield collector


def sent(collector: Collector, trace: Trace, traceparent: str | None = None) -> dict[str, Received]:
    spans.export(trace, traceparent)
    spans.stop()
    return {span.name: span for span in collector.spans}


def milliseconds(span: Received) -> tuple[float, float]:
    return (span.start - BEGAN) / 1e6, (span.end - BEGAN) / 1e6


def test_a_request_is_one_tree_whose_id_is_the_traces(collector: Collector, trace: Trace) -> None:
    root = sent(collector, trace)["invoke_agent careful"]
    assert root.trace_id == ID.replace("-", "")
    assert root.parent == ""
    assert {span.trace_id for span in collector.spans} == {root.trace_id}
    assert [span.parent for span in collector.spans if span is not root] == [root.id] * 7
    assert root.resource["service.name"] == "groundwire"


def test_the_request_says_what_decided_it_and_how_it_ended(collector: Collector, trace: Trace) -> None:
    root = sent(collector, trace)["invoke_agent careful"]
    told = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": "careful",
        "gen_ai.data_source.id": "shop",
        "gen_ai.request.model": "gpt-4.1-mini",
        "groundwire.trace_id": ID,
        "groundwire.prompt": "answer@2",
        "groundwire.experiment": "greeting",
        "groundwire.arm": "candidate",
        "groundwire.outcome": "answered",
        "groundwire.cost_nanodollars": 123_456,
        "groundwire.claims.supported": 1,
        "groundwire.claims.uncertain": 1,
        "groundwire.claims.contradicted": 0,
        "groundwire.claims.withheld": 1,
        "groundwire.claims.ungrounded": 1,
        "groundwire.held_ms": 310.0,
    }
    assert root.attributes.items() >= told.items()
    assert (root.kind, root.failed, milliseconds(root)) == ("INTERNAL", False, (0, 500))


def test_every_attempt_is_a_chat_with_its_tokens_and_its_own_times(collector: Collector, trace: Trace) -> None:
    sent(collector, trace)
    throttled, answered = [span for span in collector.spans if span.name == "chat gpt-4.1-mini"]
    assert (throttled.failed, throttled.attributes["error.type"], milliseconds(throttled)) == (True, "429", (20, 50))
    told = {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.model": "gpt-4.1-mini-2025-04-14",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.response.time_to_first_chunk": 0.05,
        "gen_ai.usage.input_tokens": 50,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "groundwire.purpose": "answer",
        "groundwire.cost_nanodollars": 123_456,
    }
    assert answered.attributes.items() >= told.items()
    assert (answered.kind, answered.failed, milliseconds(answered)) == ("CLIENT", False, (100, 450))


def test_stages_follow_one_another_and_claims_are_judged_after_the_model(collector: Collector, trace: Trace) -> None:
    found = sent(collector, trace)
    places = {
        "embeddings onnx:minilm": (0, 4),
        "retrieval shop": (4, 7),
        "log": (7, 8),
        "pack": (8, 10),
        "validate": (450, 490),
    }
    assert {name: milliseconds(found[name]) for name in places} == places
    assert found["retrieval shop"].attributes["gen_ai.operation.name"] == "retrieval"
    assert found["embeddings onnx:minilm"].attributes["gen_ai.request.model"] == "onnx:minilm"


def test_sentences_are_judged_from_the_first_text_to_the_end(collector: Collector, trace: Trace) -> None:
    release = trace.variant.release.model_copy(update={"gate": "sentence"})
    gated = trace.model_copy(update={"variant": trace.variant.model_copy(update={"release": release})})
    judged = sent(collector, gated)["validate"]
    assert (milliseconds(judged), judged.attributes["groundwire.stage_ms"]) == ((150, 500), 40)


def test_no_text_is_told_unless_it_is_asked_for(collector: Collector, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(collector, trace)
    told = json.dumps([span.attributes for span in collector.spans])
    assert not any(text in told for text in ("kettle", "It is", "Be kind", "secret person", "d1ge57", "key-1", "chunk-1"))

    collector.spans.clear()
    monkeypatch.setenv(spans.CONTENT, "true")
    found = sent(collector, trace)
    asked = json.loads(found["invoke_agent careful"].attributes["gen_ai.input.messages"])
    assert asked == [{"role": "user", "parts": [{"type": "text", "content": QUESTION}]}]
    chats = [span.attributes for span in collector.spans if span.name == "chat gpt-4.1-mini"]
    assert "gen_ai.input.messages" not in chats[0]
    assert json.loads(chats[1]["gen_ai.input.messages"])[0] == {
        "role": "system",
        "parts": [{"type": "text", "content": "Be kind."}],
    }
    assert json.loads(chats[1]["gen_ai.output.messages"])[0]["parts"][0]["content"] == trace.draft
    assert json.loads(found["retrieval shop"].attributes["gen_ai.retrieval.documents"]) == [{"id": "chunk-1", "score": 0.8}]
    assert found["retrieval shop"].attributes["gen_ai.retrieval.query.text"] == QUESTION


def test_a_callers_trace_is_continued_and_its_choice_kept(collector: Collector, trace: Trace) -> None:
    theirs, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    root = sent(collector, trace, f"00-{theirs}-{parent}-01")["invoke_agent careful"]
    assert (root.trace_id, root.parent, root.attributes["groundwire.trace_id"]) == (theirs, parent, ID)
    collector.spans.clear()
    assert sent(collector, trace, f"00-{theirs}-{parent}-00") == {}


@pytest.mark.parametrize("traceparent", ["", "nonsense", "00-0-0-01"])
def test_a_traceparent_out_of_shape_is_none(collector: Collector, trace: Trace, traceparent: str) -> None:
    assert sent(collector, trace, traceparent)["invoke_agent careful"].trace_id == ID.replace("-", "")


@pytest.mark.parametrize(("outcome", "failure"), [(Outcome.FAILED, "failed"), (Outcome.TIMED_OUT, "timeout")])
def test_a_failure_is_one_and_a_client_that_left_is_none(
    collector: Collector, trace: Trace, outcome: Outcome, failure: str
) -> None:
    root = sent(collector, trace.model_copy(update={"outcome": outcome}))["invoke_agent careful"]
    assert (root.failed, root.attributes["error.type"]) == (True, failure)
    collector.spans.clear()
    left = sent(collector, trace.model_copy(update={"outcome": Outcome.DISCONNECTED}))["invoke_agent careful"]
    assert not left.failed


def test_a_refusal_without_a_call_has_only_what_was_done(collector: Collector, trace: Trace) -> None:
    refused = {"outcome": Outcome.REFUSED, "released": "abstained", "attempts": (), "claims": (), "stages": {"embed": 4.0}}
    found = sent(collector, trace.model_copy(update={**refused, "channel": Channel.SHADOW}))
    assert found.keys() == {"invoke_agent careful", "embeddings onnx:minilm"}
    assert found["invoke_agent careful"].attributes["groundwire.channel"] == "shadow"


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("anthropic/claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("bedrock/eu.anthropic.claude-v2", "aws.bedrock", "eu.anthropic.claude-v2"),
        ("openrouter/meta-llama/llama-3", "openrouter", "meta-llama/llama-3"),
        ("gpt-4.1-mini", "_OTHER", "gpt-4.1-mini"),
        ("local/extractive", "local", "extractive"),
    ],
)
def test_providers_have_the_names_of_the_conventions(
    collector: Collector, trace: Trace, model: str, provider: str, name: str
) -> None:
    attempt = Attempt(purpose=Purpose.JUDGE, model=model, started_ms=0, total_ms=1)
    judged = sent(collector, trace.model_copy(update={"attempts": (attempt,)}))[f"chat {name}"]
    assert judged.attributes["gen_ai.provider.name"] == provider
    assert judged.kind == ("INTERNAL" if model == "local/extractive" else "CLIENT")
    assert "gen_ai.request.temperature" not in judged.attributes


def test_the_environment_names_the_service(collector: Collector, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "help-desk")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging")
    resource = sent(collector, trace)["invoke_agent careful"].resource
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("help-desk", "staging")


def test_without_an_endpoint_nothing_is_loaded() -> None:
    program = "import sys\nfrom api.telemetry import spans\nspans.start()\nspans.stop()\nprint('opentelemetry' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


def test_a_backend_that_does_not_answer_holds_nobody_up(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "600")
    monkeypatch.setattr(spans, "FLUSH_SECONDS", 0.3)
    with Collector(held=True) as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
        spans.start()
        for _ in range(100):
            spans.export(trace)
        spans.stop()
        assert not collector.spans
        collector.let_go()
        until = time.monotonic() + 60
        while [span.name for span in collector.spans].count("invoke_agent careful") < 100:
            assert time.monotonic() < until
            time.sleep(0.01)


def test_what_cannot_be_told_is_logged_and_fails_nothing(
    collector: Collector, trace: Trace, caplog: pytest.LogCaptureFixture
) -> None:
    assert sent(collector, trace.model_copy(update={"id": "no uuid", "history": (Message(role="user", content="?"),)})) == {}
    assert "trace no uuid could not be exported" in caplog.text


def test_missing_packages_are_told_once_with_what_installs_them(
    collector: Collector, trace: Trace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    spans.start()
    spans.export(trace)
    spans.export(trace)
    assert caplog.text.count("pip install 'groundwire[telemetry]'") == 1
    assert collector.deliveries == 0
