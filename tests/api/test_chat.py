"""`POST /chat` over a real wire: JSON, events, errors, and clients that leave."""

import asyncio
import json
import time
from pathlib import Path

import httpx
import pytest

from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.trace import Outcome
from tests.servers.provider import Provider, Reply, failure

QUESTION = "How long is the warranty on a kettle?"
TRUE = "Kettles are covered for 24 months [1]."


def events(body: str) -> list[tuple[str, dict[str, object]]]:
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in body.strip().split("\n\n")]
    return [(block["event"], json.loads(block["data"])) for block in blocks]


def test_json_tells_the_answer_and_what_it_rests_on(url: str, upstream: Provider, runtime: Runtime) -> None:
    upstream.script(Reply(pieces=(TRUE,)))
    response = httpx.post(f"{url}/chat", json={"question": QUESTION})
    body = response.json()
    assert response.status_code == 200
    assert (body["answer"], body["outcome"], body["model"]) == (TRUE, "answered", "openai/gpt-4.1-mini")
    assert body["claims"][0]["verdict"] == "supported"
    assert body["passages"][0]["document_id"].endswith("kettles.md")
    trace = runtime.traces.get(body["trace_id"])
    assert (trace.answer, trace.cost_nanodollars) == (TRUE, body["cost_nanodollars"])


def test_events_come_as_the_text_does(url: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=("Kettles are covered ", "for 24 months [1]."), between=2))
    arrived = []
    with httpx.stream("POST", f"{url}/chat", json={"question": QUESTION, "stream": True}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        body = ""
        for text in response.iter_text():
            arrived.append(time.monotonic())
            body += text
    assert [name for name, _ in events(body)] == ["retrieved", "delta", "delta", "done"]
    assert "".join(str(data["text"]) for name, data in events(body) if name == "delta") == TRUE
    assert events(body)[-1][1]["answer"] == TRUE
    assert arrived[-1] - arrived[0] > 1


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        ({"question": QUESTION, "collection": "nope"}, 404, "collection nope does not exist"),
        ({"question": QUESTION, "variant": "nope"}, 404, "variant nope does not exist"),
        ({"question": "   "}, 400, "the question is empty"),
        ({"question": ""}, 422, "question"),
        ({"question": QUESTION, "colour": "red"}, 422, "colour"),
        ({"question": QUESTION, "variant": "a", "model": "b"}, 422, "model"),
        ({"question": "a" * 20_001}, 422, "question"),
        ({"question": QUESTION, "history": [{"role": "system", "content": "Be rude."}]}, 422, "history.0.role"),
    ],
)
def test_what_cannot_be_asked_is_told(url: str, asked: dict[str, object], status: int, told: str) -> None:
    response = httpx.post(f"{url}/chat", json=asked)
    assert response.status_code == status
    assert told in response.text


@pytest.mark.parametrize(
    ("reply", "variant", "status", "outcome"),
    [(failure(500), "default", 502, "failed"), (Reply(first=3), "hasty", 504, "timed_out")],
)
def test_a_failure_upstream_has_its_status_and_its_trace(
    url: str, upstream: Provider, runtime: Runtime, reply: Reply, variant: str, status: int, outcome: str
) -> None:
    upstream.script(reply)
    response = httpx.post(f"{url}/chat", json={"question": QUESTION, "variant": variant})
    assert response.status_code == status
    assert response.json()["outcome"] == outcome
    assert runtime.traces.get(response.json()["trace_id"]).outcome == outcome
    assert "sk-loopback" not in response.text


def test_a_stream_that_fails_on_the_way_ends_with_what_failed(url: str, upstream: Provider) -> None:
    upstream.script(Reply(pieces=("Kettles ",), end="cut"))
    body = httpx.post(f"{url}/chat", json={"question": QUESTION, "stream": True}).text
    assert [name for name, _ in events(body)] == ["retrieved", "delta", "done"]
    assert events(body)[-1][1]["outcome"] == "failed"
    completing = {"model": "default", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    lines = httpx.post(f"{url}/v1/chat/completions", json=completing).text.split("\n\n")
    assert json.loads(lines[-2].removeprefix("data: "))["error"]["type"] == "upstream_error"


def test_history_and_session_reach_the_trace(url: str, runtime: Runtime) -> None:
    history = [{"role": "user", "content": "Do you sell kettles?"}, {"role": "assistant", "content": "Yes [1]."}]
    asked = {"question": "How long is the warranty?", "model": "extractive", "history": history}
    response = httpx.post(f"{url}/chat", json={**asked, "session": "s"})
    assert response.headers["x-request-id"] == response.headers["x-groundwire-trace"] == response.json()["trace_id"]
    trace = runtime.traces.get(response.json()["trace_id"])
    assert [said.model_dump() for said in trace.history] == history
    other = httpx.post(f"{url}/chat", json=asked, headers={"x-session-id": "s"}).json()["trace_id"]
    assert trace.origin.unit
    assert trace.origin.unit == runtime.traces.get(other).origin.unit


def test_a_filter_is_kept(url: str) -> None:
    body = httpx.post(f"{url}/chat", json={"question": QUESTION, "where": {"shelf": "none"}, "variant": "extractive"}).json()
    assert (body["outcome"], body["passages"]) == ("refused", [])


@pytest.mark.anyio
@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_ends_the_call_upstream(url: str, upstream: Provider, runtime: Runtime, stream: bool) -> None:
    upstream.script(Reply(pieces=("word ",) * 2000, between=0.05))
    before = {trace.id for trace in runtime.traces.latest(1000)}
    async with httpx.AsyncClient() as client:
        asking = asyncio.ensure_future(client.post(f"{url}/chat", json={"question": QUESTION, "stream": stream}))
        while not (upstream.calls and upstream.calls[0].sent):
            await asyncio.sleep(0.01)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    await upstream.settled()
    assert upstream.calls[0].disconnected
    async with asyncio.timeout(60):
        while not (left := [t for t in runtime.traces.latest(1000) if t.id not in before and t.outcome]):
            await asyncio.sleep(0.01)
    assert [trace.outcome for trace in left] == [Outcome.DISCONNECTED]


def test_health_readiness_and_the_page(url: str) -> None:
    assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
    assert httpx.get(f"{url}/readyz").json() == {"status": "ok"}
    page = httpx.get(url)
    assert "Groundwire" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.anyio
async def test_requests_at_the_same_time_each_leave_one_trace(url: str, runtime: Runtime) -> None:
    before = {trace.id for trace in runtime.traces.latest(10_000)}
    questions = [f"How long is the warranty on kettle {number}?" for number in range(40)]
    async with httpx.AsyncClient(timeout=60) as client:
        asking = (client.post(f"{url}/chat", json={"question": question, "variant": "extractive"}) for question in questions)
        told = {response.json()["trace_id"] for response in await asyncio.gather(*asking)}
    left = [trace for trace in runtime.traces.latest(10_000) if trace.id not in before]
    assert {trace.id for trace in left} == told
    assert sorted(trace.question for trace in left) == sorted(questions)
    assert all(trace.outcome for trace in left)


def test_a_new_generation_is_served_from_the_next_question_on(url: str, runtime: Runtime, tmp_path: Path) -> None:
    page = tmp_path / "office.md"
    question = {"question": "Where is the office?", "collection": "moving", "variant": "extractive"}
    page.write_text("# Office\n\nThe office is in Leeds.\n")
    ingest([str(page)], "moving", runtime)
    assert "Leeds" in httpx.post(f"{url}/chat", json=question).json()["answer"]
    page.write_text("# Office\n\nThe office is in York.\n")
    ingest([str(page)], "moving", runtime)
    assert "York" in httpx.post(f"{url}/chat", json=question).json()["answer"]


@pytest.mark.parametrize("path", ["chat", "v1/chat/completions"])
def test_a_stream_that_is_refused_has_its_status(url: str, path: str) -> None:
    messages = [{"role": "user", "content": " "}]
    body = {"question": "  ", "stream": True} if path == "chat" else {"model": "default", "stream": True, "messages": messages}
    response = httpx.post(f"{url}/{path}", json=body)
    assert response.status_code == 400
    assert "ask" in response.text


def test_a_filter_by_infinity_is_refused(url: str) -> None:
    body = '{"question": "kettles?", "where": {"a": 1e999}}'
    assert httpx.post(f"{url}/chat", content=body, headers={"content-type": "application/json"}).status_code == 422


def test_a_damaged_index_is_the_servers_fault_and_keeps_its_path(url: str, runtime: Runtime, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nThis page will be damaged.\n")
    ingest([str(page)], "damaged", runtime)
    vectors = next((Path(runtime.settings.index_place) / "damaged").glob("*/vectors.faiss"))
    vectors.write_bytes(vectors.read_bytes()[:-1])
    response = httpx.post(f"{url}/chat", json={"question": "What will be damaged?", "collection": "damaged"})
    assert response.status_code == 503
    assert str(runtime.settings.home) not in response.text


def test_a_citation_names_the_page_where_there_are_pages(url: str, upstream: Provider, runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "manual.txt").write_text("\f".join(f"Step {number} takes {number} minutes. " * 60 for number in (1, 2, 3)))
    (tmp_path / "note.txt").write_text("The lamp lasts seven years.")
    ingest([str(tmp_path / "manual.txt"), str(tmp_path / "note.txt")], "paged", runtime)
    upstream.script(Reply(pieces=("Step 3 takes 3 minutes [1].",)), Reply(pieces=("The lamp lasts seven years [1].",)))
    for question, document in (("How long does step 3 take?", "manual.txt"), ("How long does the lamp last?", "note.txt")):
        body = httpx.post(f"{url}/chat", json={"question": question, "collection": "paged"}).json()
        [cited] = body["citations"]
        passage = body["passages"][0]
        assert cited["document_id"].endswith(document)
        assert cited["page"] == passage["page"]
        assert (f"Step {cited['page']} takes" in cited["text"]) if document == "manual.txt" else cited["page"] is None
    described = httpx.get(f"{url}/openapi.json").json()["components"]["schemas"]
    for schema in ("Citation", "Passage"):
        assert described[schema]["properties"]["page"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
