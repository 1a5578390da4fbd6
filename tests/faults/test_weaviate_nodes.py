"""Three Weaviate nodes, of which some are killed, hang or come back: nothing is lost, and nobody is told of it."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.errors import StorageError
from rag.ingest.ingest import ingest, rebuild
from rag.progress import Stage
from rag.runtime import Runtime
from tests.faults.numbered import filled, finds, rows, searching, settings, whole
from tests.servers.weaviate import Cluster, Node, installation

ROWS = 1_500
FEW = 60
BOUNDED_SECONDS = 30.0
"""By when a search has failed for good, where it may be tried again for 3 seconds, on a machine that has other things to do."""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def cluster(weaviate_cluster: Cluster) -> Iterator[Cluster]:
    yield weaviate_cluster
    weaviate_cluster.start()


def place(cluster: Cluster, name: str, nodes: list[Node] | None = None, **options: str) -> str:
    """Three copies of everything, asked through these nodes, and as often as a machine needs that has other things to do."""
    return installation(Cluster(nodes or cluster.nodes, None).place, name, replication="3", **{"retry": "120", **options})


def test_a_node_is_killed_during_an_ingest_and_searches(cluster: Cluster, tmp_path: Path) -> None:
    asked = settings(tmp_path, place(cluster, "ingest"))

    def kill(stage: Stage, done: int, total: int) -> None:
        if stage is Stage.INDEX and total / 2 < done < total and node.process is not None:
            node.kill()

    node = cluster.nodes[0]
    with Runtime(asked) as runtime:
        ingest([rows(tmp_path, FEW)], "few", runtime)
        with searching(runtime, FEW, "few") as searches:
            report = ingest([rows(tmp_path, ROWS)], "rows", runtime, progress=kill)
            assert node.process is None
            cluster.start()
        assert searches.errors == []
        assert searches.answered > FEW
        assert report.chunks == ROWS
        whole(runtime, ROWS)


def test_a_node_that_missed_a_generation_is_not_asked_before_it_has_it(cluster: Cluster, tmp_path: Path) -> None:
    late, *others = cluster.nodes
    late.kill()
    asked = filled(tmp_path, place(cluster, "late"), count=FEW)
    cluster.start()
    with Runtime(asked.model_copy(update={"index": place(cluster, "late", [late, *others])})) as runtime:
        whole(runtime, FEW)
    alone = place(cluster, "late", [late], consistency="one")
    with Runtime(asked.model_copy(update={"index": alone})) as runtime:
        whole(runtime, FEW)
        for node in others:
            node.kill()
        for number in range(FEW):
            finds(runtime.retriever("rows"), number)


def test_one_node_after_another_is_away(cluster: Cluster, tmp_path: Path) -> None:
    """As when a cluster is upgraded; and the index is built anew at any time."""
    with Runtime(filled(tmp_path, place(cluster, "rolling"), count=FEW)) as runtime:
        with searching(runtime, FEW) as searches:
            for node in cluster.nodes:
                node.kill()
                rebuild("rows", runtime)
                cluster.start()
        assert searches.errors == []
        whole(runtime, FEW)


def test_a_node_that_hangs_is_left_for_another(cluster: Cluster, tmp_path: Path) -> None:
    with Runtime(filled(tmp_path, place(cluster, "hanging", timeout="2"), count=FEW)) as runtime:
        retriever = runtime.retriever("rows")
        for node in cluster.nodes:
            assert node.process is not None
            node.process.send_signal(signal.SIGSTOP)
            try:
                for number in range(20):
                    finds(retriever, number)
            finally:
                node.process.send_signal(signal.SIGCONT)


def test_all_nodes_are_down_and_come_back(cluster: Cluster, tmp_path: Path) -> None:
    with Runtime(filled(tmp_path, place(cluster, "down", retry="3"), count=FEW)) as runtime:
        retriever = runtime.retriever("rows")
        finds(retriever, 1)
        cluster.kill()
        began = time.monotonic()
        with pytest.raises(StorageError) as told:
            finds(retriever, 1)
        assert time.monotonic() - began < BOUNDED_SECONDS
        for node in cluster.nodes:
            assert f"127.0.0.1:{node.port}" in told.value.problem
        assert re.search("start it|GROUNDWIRE_INDEX", told.value.mend)
        with pytest.raises(StorageError, match="does not answer"):
            rebuild("rows", runtime)
        cluster.start()
        whole(runtime, FEW)


def test_searches_wait_for_a_cluster_that_starts_again(cluster: Cluster, tmp_path: Path) -> None:
    with Runtime(filled(tmp_path, place(cluster, "again"), count=FEW)) as runtime:
        with searching(runtime, FEW) as searches:
            cluster.kill()
            cluster.start()
        assert searches.errors == []
        whole(runtime, FEW)
