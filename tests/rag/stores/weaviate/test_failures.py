"""Failures: what a server says becomes one line that people can mend."""

from collections.abc import Callable
from typing import Any

import pytest

from rag.errors import ConfigurationError, StorageError
from rag.stores.weaviate.failures import passing
from rag.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import build, lexical
from tests.rag.stores.weaviate.conftest import ALL
from tests.servers.weaviate import installation, running


@pytest.mark.parametrize(
    ("said", "soon_over"),
    [
        ("failed to execute query: rpc error: code = Canceled desc = grpc: the client connection is closing", True),
        ("cannot achieve consistency level QUORUM: read error", True),
        ("no such prop with name 'colour' found in class 'Guide'", False),
    ],
)
def test_what_will_be_over_soon_is_tried_again(said: str, soon_over: bool) -> None:
    assert passing(said) is soon_over


def test_what_a_server_refuses_is_one_line(raw: Callable[..., Any]) -> None:
    with pytest.raises(StorageError, match="refused") as told:
        raw(lambda client: client.collections.use("Nowhere").aggregate.over_all(total_count=True))
    assert "Nowhere" in told.value.problem
    assert "\n" not in told.value.problem
    assert "Rpc" not in told.value.problem


def test_a_key_that_is_revoked_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(key="once") as servers:
        monkeypatch.setenv("WEAVIATE_API_KEY", "once")
        store = WeaviateStore(installation(servers.place, "revoked"))
        index = store.open("guide", build(store, ALL).id)
        servers.kill()
        servers.key = "another"
        servers.start()
        with pytest.raises(ConfigurationError, match="WEAVIATE_API_KEY is not accepted by Weaviate at 127.0.0.1"):
            lexical(index, "pump")
        store.close()
