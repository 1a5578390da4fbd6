"""The servers that tests start: they keep what they were given, and nobody is left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.rag.llms.conftest import gone
from tests.servers.weaviate import Cluster, installation, running, somewhere

STARTED = """
from tests.servers.weaviate import running
with running() as cluster:
    print(cluster.nodes[0].process.pid, flush=True)
    input()
"""


def test_a_node_keeps_its_data_from_start_to_start() -> None:
    with running() as cluster:
        (node,) = cluster.nodes
        httpx.post(f"{node.url}/v1/schema", json={"class": "Kept"}).raise_for_status()
        node.kill()
        with pytest.raises(RuntimeError, match="node1 of Weaviate has ended"):
            node.ready()
        cluster.start()
        assert [each["class"] for each in httpx.get(f"{node.url}/v1/schema").json()["classes"]] == ["Kept"]


def test_a_guarded_node_wants_the_key(guarded_weaviate: tuple[str, str]) -> None:
    place, key = guarded_weaviate
    url = place.partition("?")[0].replace("weaviate", "http")
    assert httpx.get(f"{url}/v1/schema").status_code == 401
    assert httpx.get(f"{url}/v1/schema", headers={"Authorization": f"Bearer {key}"}).status_code == 200


def test_three_nodes_are_one_cluster(weaviate_cluster: Cluster) -> None:
    for node in weaviate_cluster.nodes:
        told = httpx.get(f"{node.url}/v1/nodes").json()["nodes"]
        assert sorted((each["name"], each["status"]) for each in told) == [(f"node{n}", "HEALTHY") for n in (1, 2, 3)]


def test_no_server_outlives_its_tests(tmp_path: Path) -> None:
    if "WEAVIATE_BIN" not in os.environ:
        pytest.skip("set WEAVIATE_BIN to a Weaviate server")
    with subprocess.Popen(
        [sys.executable, "-c", STARTED],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as tests:
        assert tests.stdout is not None
        pid = int(tests.stdout.readline())
        assert not gone(pid, 0.2)
        tests.send_signal(signal.SIGKILL)
    assert gone(pid)


def test_a_start_that_fails_tells_the_end_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVIATE_BIN", "/bin/false")
    with pytest.raises(RuntimeError, match="node1 of Weaviate has ended"), running():
        pass


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://vectors:8080", "weaviate://vectors:8080"),
        ("https://vectors", "weaviate+https://vectors"),
        ("weaviate://one,two?grpc=1,2", "weaviate://one,two?grpc=1,2"),
    ],
)
def test_a_server_that_runs_already_is_taken(url: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEAVIATE_URL", url)
    with somewhere() as found:
        assert found == place


def test_without_a_server_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WEAVIATE_URL", raising=False)
    monkeypatch.delenv("WEAVIATE_BIN", raising=False)
    with pytest.raises(
        pytest.skip.Exception, match="set WEAVIATE_BIN to a Weaviate server, or WEAVIATE_URL to the address of one"
    ):
        somewhere().__enter__()


def test_installations_share_a_place() -> None:
    assert installation("weaviate://a,b?grpc=1,2", "mine", replication="3") == "weaviate://a,b/mine?grpc=1,2&replication=3"
    assert installation("weaviate://a", "yours") == "weaviate://a/yours"
