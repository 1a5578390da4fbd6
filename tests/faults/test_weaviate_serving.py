"""`api serve` over a Weaviate server that goes and comes back: clients get a problem and no traceback, and then answers again."""

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rag.runtime import Runtime
from rag.settings import Settings
from tests.faults.numbered import filled, text
from tests.faults.serving import traces
from tests.servers.groundwire import Server
from tests.servers.groundwire import running as serving
from tests.servers.weaviate import Cluster, installation, running

BACK_SECONDS = 60.0
"""By when it answers again, on a machine that has other things to do."""
VARIANT = '[llm]\nmodel = "local/extractive"\n[retriever]\nabstain = false\n'

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def node() -> Iterator[Cluster]:
    """Of these tests alone: it is killed."""
    with running() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def settings(node: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("served")
    (folder / "default.toml").write_text(VARIANT)
    return filled(folder, installation(node.place, "served", retry="2")).model_copy(update={"variants": folder})


@pytest.fixture(scope="module")
def groundwire(settings: Settings) -> Iterator[Server]:
    with serving(settings, "--collection", "rows", environment={"GROUNDWIRE_INDEX": settings.index_place}) as server:
        yield server


def ask(url: str, path: str = "/chat", **body: Any) -> httpx.Response:
    asked = {"question": text(7)} if path == "/chat" else {"messages": [{"role": "user", "content": text(7)}], "model": "default"}
    return httpx.post(f"{url}{path}", json={**asked, **body}, timeout=60)


def plain(response: httpx.Response, place: str) -> None:
    """A problem of the server's, in words that are for strangers."""
    assert response.status_code in (502, 503), response.text
    for secret in ("Traceback", 'File "', place, "127.0.0.1"):
        assert secret not in response.text


def test_a_server_that_is_down_is_a_problem_until_it_is_back(groundwire: Server, node: Cluster, settings: Settings) -> None:
    assert ask(groundwire.url).status_code == 200
    node.kill()
    for path in ("/chat", "/v1/chat/completions"):
        plain(ask(groundwire.url, path), settings.index_place)
    streamed = ask(groundwire.url, stream=True)
    assert "Traceback" not in streamed.text
    assert streamed.status_code != 200 or "error" in streamed.text
    assert httpx.get(f"{groundwire.url}/healthz").status_code == 200
    unready = httpx.get(f"{groundwire.url}/readyz", timeout=60)
    plain(unready, settings.index_place)
    assert unready.headers["content-type"] == "application/problem+json"

    node.start()
    deadline = time.monotonic() + BACK_SECONDS
    while (answer := ask(groundwire.url)).status_code != 200:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.1)
    assert text(7) in json.dumps(answer.json())
    assert httpx.get(f"{groundwire.url}/readyz", timeout=60).status_code == 200


def test_every_request_has_one_trace_whatever_becomes_of_it(groundwire: Server, node: Cluster, settings: Settings) -> None:
    with Runtime(settings) as runtime:
        before = len(traces(runtime))
        node.kill()
        answers = [ask(groundwire.url) for _ in range(3)]
        node.start()
        answers.append(ask(groundwire.url))
        time.sleep(0.5)
        assert len(traces(runtime)) - before == len(answers)
        assert [answer.status_code == 200 for answer in answers] == [False, False, False, True]
