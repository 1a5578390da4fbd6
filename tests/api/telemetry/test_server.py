"""A real server under a scripted load: its counters and its spans say what the ledger says."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Trace
from tests.servers.groundwire import served
from tests.servers.otlp import Collector, Received
from tests.servers.provider import Provider, Reply, failure

QUESTION = "How long is the warranty on a kettle?"
THEIRS = "4bf92f3577b34da6a3ce929d0e0e4736"
TRUE = Reply(pieces=("Kettles are covered ", "for 24 months [1]."), prompt=50, completion=9, cached=20)
FALSE = Reply(pieces=("Kettles are covered for 24 months [1]. It costs 99 dollars a year.",))


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with Collector() as collector:
        yield collector


@pytest.fixture(scope="module")
def monitored(settings: Settings, server: Provider, collector: Collector) -> Iterator[str]:
    environment = {**server.environment, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with served(settings, "--collection", "shop", environment=environment) as url:
        yield url


def chat(url: str, variant: str, **more: Any) -> None:
    httpx.post(f"{url}/chat", json={"question": QUESTION, "variant": variant, **more}, timeout=30)


def load(url: str, upstream: Provider) -> None:
    """Answers, mended ones, refusals, failures, streams and a client that leaves."""
    upstream.script(TRUE)
    chat(url, "default")
    chat(url, "default", stream=True)
    upstream.script(FALSE)
    chat(url, "careful")
    upstream.script(failure(500))
    chat(url, "default")
    upstream.script(failure(429))
    chat(url, "default")
    upstream.script(Reply(first=3))
    chat(url, "hasty")
    chat(url, "extractive", where={"shelf": "none"})
    body = {"model": "extractive", "messages": [{"role": "user", "content": QUESTION}]}
    headers = {"traceparent": f"00-{THEIRS}-00f067aa0ba902b7-01"}
    with ThreadPoolExecutor(8) as clients:
        for answer in clients.map(
            lambda _: httpx.post(f"{url}/v1/chat/completions", json=body, headers=headers, timeout=30), range(16)
        ):
            assert answer.status_code == 200
    upstream.script(Reply(pieces=("word ",) * 50, between=0.1))
    with httpx.stream("POST", f"{url}/chat", json={"question": QUESTION, "stream": True}) as response:
        next(line for line in response.iter_lines() if "delta" in line)


@pytest.fixture(scope="module")
def left(monitored: str, settings: Settings, server: Provider) -> list[Trace]:
    """The traces of the load."""
    with Runtime(settings) as runtime:
        before = {trace.id for trace in runtime.traces.latest(10_000)}
        load(monitored, server)
        until(lambda: len([trace for trace in runtime.traces.latest(100) if trace.id not in before and trace.outcome]) == 24)
        return [trace for trace in runtime.traces.latest(10_000) if trace.id not in before]


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def counted(url: str, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """The samples of that name that are not zero, by the values of their labels."""
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name and sample.value]
    return {tuple(sample.labels[label] for label in labels): sample.value for sample in samples}


def test_every_trace_is_counted_once_as_it_ended(monitored: str, left: list[Trace]) -> None:
    ended = Counter((str(trace.channel), trace.variant.name, str(trace.outcome)) for trace in left)
    assert counted(monitored, "groundwire_requests_total", "channel", "variant", "outcome") == dict(ended)
    assert {outcome for _, _, outcome in ended} == {"answered", "refused", "failed", "timed_out", "disconnected"}
    by_variant = Counter(trace.variant.name for trace in left)
    assert counted(monitored, "groundwire_request_duration_seconds_count", "variant") == {(k,): v for k, v in by_variant.items()}


def test_cost_and_tokens_are_those_of_the_ledger(monitored: str, left: list[Trace]) -> None:
    attempts = [attempt for trace in left for attempt in trace.attempts]
    spent = sum(attempt.cost_nanodollars or 0 for attempt in attempts)
    assert spent > 0
    dollars = counted(monitored, "groundwire_cost_dollars_total", "variant", "model")
    assert round(sum(dollars.values()) * 1e9) == spent
    prompt = sum(attempt.usage.prompt for attempt in attempts)
    tokens = counted(monitored, "groundwire_tokens_total", "kind", "model")
    assert sum(value for (kind, _), value in tokens.items() if kind == "prompt") == prompt
    unpriced = sum(attempt.cost_nanodollars is None for attempt in attempts)
    assert sum(counted(monitored, "groundwire_unpriced_attempts_total", "variant", "model").values()) == unpriced


def test_attempts_and_claims_are_those_of_the_ledger(monitored: str, left: list[Trace]) -> None:
    results = Counter[str]()
    for (result, _), value in counted(monitored, "groundwire_attempts_total", "result", "model").items():
        results[result] += int(value)
    attempts = [attempt for trace in left for attempt in trace.attempts]
    assert results.total() == len(attempts)
    assert results["throttled"] == sum(attempt.throttled for attempt in attempts) == 1
    assert results["cancelled"] == 1
    claims = Counter(
        (str(claim.verdict), fate) for trace in left for fate in ("released", "withheld") for claim in _of(trace, fate)
    )
    told = Counter[tuple[str, str]]()
    for (verdict, fate, _), value in counted(monitored, "groundwire_claims_total", "verdict", "fate", "variant").items():
        told[verdict, fate] += int(value)
    assert told == claims
    assert claims["unsupported", "withheld"] >= 1


def test_nothing_is_under_way_once_all_have_ended(monitored: str, left: list[Trace]) -> None:
    assert counted(monitored, "groundwire_requests_under_way") == {}
    assert counted(monitored, "groundwire_requests_queued") == {}


def test_every_trace_is_exported_once(left: list[Trace], collector: Collector) -> None:
    def requests() -> list[Received]:
        return [span for span in collector.spans if "groundwire.trace_id" in span.attributes]

    until(lambda: len(requests()) >= len(left))
    assert sorted(span.attributes["groundwire.trace_id"] for span in requests()) == sorted(trace.id for trace in left)
    assert sum(span.trace_id == THEIRS for span in requests()) == 16
    chats = [span for span in collector.spans if span.attributes.get("gen_ai.operation.name") == "chat"]
    assert len(chats) == sum(len(trace.attempts) for trace in left)
    assert "kettle" not in str([span.attributes for span in collector.spans])


def _of(trace: Trace, fate: str) -> tuple[Any, ...]:
    return trace.claims if fate == "released" else trace.withheld


def test_any_worker_tells_what_all_have_counted(settings: Settings, server: Provider) -> None:
    body = {"question": QUESTION, "variant": "extractive"}
    with served(settings, "--collection", "shop", "--workers", "2", environment=server.environment) as url:
        for _ in range(8):
            assert httpx.post(f"{url}/chat", json=body, timeout=30).status_code == 200
        told = [counted(url, "groundwire_requests_total", "variant") for _ in range(6)]
    assert told == [{("extractive",): 8}] * 6
