"""Real Weaviate servers on loopback: one, one that wants an API key, or three that are a cluster.

Knows how they are started, killed and started again. Knows nothing of what is kept in them.
"""

import os
import random
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

STARTED_SECONDS = 120.0
"""By when nodes are ready, on a machine that has other things to do: on a quiet one it takes 3."""
_FRUGAL = {
    "ASYNC_REPLICATION_FREQUENCY": "3s",
    "ASYNC_REPLICATION_PROPAGATION_DELAY": "3s",
    "DEFAULT_VECTORIZER_MODULE": "none",
    "DISABLE_TELEMETRY": "true",
    "DISK_USE_READONLY_PERCENTAGE": "100",
    "DISK_USE_WARNING_PERCENTAGE": "100",
    "GOMAXPROCS": "2",
    "GOMEMLIMIT": "768MiB",
    "GO_PROFILING_DISABLE": "true",
    "LOG_FORMAT": "text",
    "LOG_LEVEL": "warning",
    "MEMORY_READONLY_PERCENTAGE": "100",
    "PERSISTENCE_HNSW_MAX_LOG_SIZE": "16MiB",
    "RAFT_TIMEOUTS_MULTIPLIER": "1",
}
"""Elections take a second or two, and a node that was away learns within ten what it missed: servers on one machine need no more.
Nothing is refused for a disk or a memory that others have filled."""
_SCHEMES = {"http": "weaviate", "https": "weaviate+https"}
_PORTS = range(20_000, 32_000)
"""Beneath those that connections are given, so that nobody takes the port of a server that is down for a while."""
_HTTP, _GRPC, _GOSSIP, _DATA, _RAFT, _RAFT_RPC = range(6)
"""What each port of a node is for, counted from its first; `_DATA` must follow `_GOSSIP`, and `_RAFT_RPC` `_RAFT`."""


class Node:
    """One server. Its ports and its data stay the same from start to start."""

    def __init__(self, folder: Path, name: str, port: int) -> None:
        self.name = name
        self.port = port
        self.process: subprocess.Popen[bytes] | None = None
        self.data = folder / name
        self._log = folder / f"{name}.log"

    @property
    def grpc(self) -> int:
        """The port."""
        return self.port + _GRPC

    @property
    def url(self) -> str:
        """Where it speaks HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, peers: "Sequence[Node]", key: str | None) -> None:
        """Start the process; it is the caller's to wait. It does not outlive the thread that starts it, however that ends."""
        environment = {
            **_FRUGAL,
            "PATH": os.environ["PATH"],
            "PERSISTENCE_DATA_PATH": str(self.data),
            "GRPC_PORT": str(self.grpc),
            "CLUSTER_HOSTNAME": self.name,
            "CLUSTER_IN_LOCALHOST": "true",
            "CLUSTER_BIND_ADDR": "127.0.0.1",
            "CLUSTER_ADVERTISE_ADDR": "127.0.0.1",
            "CLUSTER_GOSSIP_BIND_PORT": str(self.port + _GOSSIP),
            "CLUSTER_DATA_BIND_PORT": str(self.port + _DATA),
            "CLUSTER_JOIN": ",".join(f"127.0.0.1:{peer.port + _GOSSIP}" for peer in peers if peer is not self),
            "RAFT_PORT": str(self.port + _RAFT),
            "RAFT_INTERNAL_RPC_PORT": str(self.port + _RAFT_RPC),
            "RAFT_JOIN": ",".join(f"{peer.name}:{peer.port + _RAFT}" for peer in peers),
            "RAFT_BOOTSTRAP_EXPECT": str(len(peers)),
            "ASYNC_INDEXING": str(len(peers) > 1).lower(),
            "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": str(key is None).lower(),
        }
        if key:
            environment |= {
                "AUTHENTICATION_APIKEY_ENABLED": "true",
                "AUTHENTICATION_APIKEY_ALLOWED_KEYS": key,
                "AUTHENTICATION_APIKEY_USERS": "groundwire",
            }
        command = ["setpriv", "--pdeathsig", "KILL", os.environ["WEAVIATE_BIN"]]
        command += ["--host", "127.0.0.1", "--port", str(self.port), "--scheme", "http"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """As `kill -9` does."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def ready(self) -> bool:
        """Whether it answers. Raises `RuntimeError` with the end of its log where it has ended."""
        if self.process is None or self.process.poll() is not None:
            raise RuntimeError(f"{self.name} of Weaviate has ended: {self.told()}")
        try:
            return httpx.get(f"{self.url}/v1/.well-known/ready", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    def told(self) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


class Cluster:
    """Nodes that are one place: a single one, too."""

    def __init__(self, nodes: Sequence[Node], key: str | None) -> None:
        self.nodes = nodes
        self.key = key

    @property
    def place(self) -> str:
        """As in `GROUNDWIRE_INDEX`, the nodes in order."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"weaviate://{hosts}?grpc={','.join(str(node.grpc) for node in self.nodes)}"

    def start(self) -> None:
        """Start every node that does not run, and wait until all are ready. Raises `RuntimeError` with the end of a log."""
        for node in self.nodes:
            if node.process is None:
                node.start(self.nodes, self.key)
        deadline = time.monotonic() + STARTED_SECONDS
        for node in self.nodes:
            while not node.ready():
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{node.name} of Weaviate is not ready after {STARTED_SECONDS:.0f} s: {node.told()}")
                time.sleep(0.05)

    def kill(self) -> None:
        """All nodes at once."""
        for node in self.nodes:
            node.kill()


@contextmanager
def running(count: int = 1, key: str | None = None) -> Iterator[Cluster]:
    """So many nodes that are ready, which let in who has the key, or anybody; they and their data are gone afterwards.

    Skips the test where there is no server to start.
    """
    if "WEAVIATE_BIN" not in os.environ:
        pytest.skip("set WEAVIATE_BIN to a Weaviate server")
    with tempfile.TemporaryDirectory(prefix="weaviate-", ignore_cleanup_errors=True) as folder:
        with _ports(count) as ports:
            nodes = [Node(Path(folder), f"node{number}", port) for number, port in enumerate(ports, 1)]
        cluster = Cluster(nodes, key)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.kill()


@contextmanager
def somewhere() -> Iterator[str]:
    """The place of one node that lets anybody in: that of `WEAVIATE_URL`, or one that is started."""
    if url := os.environ.get("WEAVIATE_URL"):
        scheme, _, rest = url.partition("://")
        yield f"{_SCHEMES.get(scheme, scheme)}://{rest}"
    elif "WEAVIATE_BIN" in os.environ:
        with running() as cluster:
            yield cluster.place
    else:
        pytest.skip("set WEAVIATE_BIN to a Weaviate server, or WEAVIATE_URL to the address of one")


def installation(place: str, name: str, **options: str) -> str:
    """The same place for an installation of that name, which sees nothing of the others."""
    parts = urlsplit(place)
    query = "&".join(filter(None, [parts.query, *(f"{key}={value}" for key, value in options.items())]))
    return parts._replace(path=f"/{name}", query=query).geturl()


@contextmanager
def _ports(count: int) -> Iterator[list[int]]:
    """The first port of so many nodes, held until they are about to start."""
    taken = len((_HTTP, _GRPC, _GOSSIP, _DATA, _RAFT, _RAFT_RPC))
    starts = iter(random.sample(_PORTS[::taken], len(_PORTS) // taken))
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            start = next(starts)
            if _free(start, taken, held):
                found.append(start)
        yield found


def _free(start: int, count: int, held: ExitStack) -> bool:
    """Whether nobody listens at ports from `start`; if so, they are held."""
    with ExitStack() as tried:
        try:
            for port in range(start, start + count):
                listener = tried.enter_context(socket.socket())
                listener.bind(("", port))
        except OSError:
            return False
        held.push(tried.pop_all())
    return True
