"""Seals: which collections are generations, which are swept, and which are let be."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rag.errors import StorageError
from rag.process import HOST
from rag.stores.base import Generation, Index, Tuning
from rag.stores.weaviate.store import WeaviateStore
from tests.contracts.test_store import build
from tests.rag.stores.weaviate.conftest import ALL, collections, described


def ended() -> int:
    """The id of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_an_unsealed_collection_is_no_generation(store: WeaviateStore, raw: Callable[..., Any], kept: str) -> None:
    whole = raw(lambda client: client.collections.use(kept).config.get()).description
    described(raw, kept, '{"layout": 1}')
    assert list(store.generations("guide")) == []
    with pytest.raises(StorageError, match="has no index"):
        store.open("guide", json.loads(whole)["generation"]["id"])


def test_another_layout_is_told_and_can_be_dropped(
    store: WeaviateStore, raw: Callable[..., Any], kept: str, generation: Generation
) -> None:
    described(raw, kept, json.dumps({"layout": 2, "generation": {"id": generation.id, "new": "field"}}))
    assert list(store.generations("guide")) == []
    for act in (store.open, store.verify):
        with pytest.raises(StorageError, match=r"written by another version of Groundwire \(layout 2, this one reads 1\)"):
            act("guide", generation.id)
    store.drop("guide", generation.id)
    with pytest.raises(StorageError, match="has no index"):
        store.open("guide", generation.id)


@pytest.mark.parametrize(
    ("host", "process", "days", "stays"),
    [
        (HOST, ended, 0, False),
        (HOST, os.getppid, 1, True),
        (HOST, os.getppid, 8, False),
        (HOST, os.getpid, 0, False),
        (f"{HOST.rpartition('.')[0]}.00000000", ended, 1, True),
        (f"{HOST.rpartition('.')[0]}.00000000", ended, 8, False),
    ],
    ids=["gone", "alive", "another of the same id", "earlier process of the same id", "other container", "other, long ago"],
)
def test_what_killed_builds_left_is_swept(
    store: WeaviateStore,
    raw: Callable[..., Any],
    prefix: str,
    kept: str,
    host: str,
    process: Callable[[], int],
    days: int,
    stays: bool,
) -> None:
    since = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    builder = {"owner": f"{host}:{process()}:another", "since": since}
    described(raw, kept, json.dumps({"layout": 1, "builder": builder}))
    build(store, ALL)
    assert (kept in collections(raw, prefix)) == stays


def test_what_is_being_built_is_not_swept(store: WeaviateStore) -> None:
    def meanwhile(_: Index) -> Tuning:
        build(store, ALL[:2])
        return Tuning()

    assert build(store, ALL, tune=meanwhile) in store.generations("guide")
    assert len(list(store.generations("guide"))) == 2


def test_collections_of_others_are_let_be(store: WeaviateStore, raw: Callable[..., Any], prefix: str) -> None:
    others = {
        f"{prefix}_gtheirs": None,
        f"{prefix}_gother": "not ours",
        f"{prefix}_gthird": '{"layout": 1}',
        f"{prefix}_gfourth": '{"layout": 1, "generation": {"id": "x"}}',
        f"{prefix}_gfifth": '{"layout": 1, "builder": {"owner": "a:b", "since": "2020-01-01T00:00:00Z"}}',
        f"{prefix}_gsixth": '{"layout": 1, "builder": {"owner": "a:1:b", "since": "2020-01-01T00:00:00"}}',
        prefix: "{}",
    }
    for name, description in others.items():
        raw(lambda client: client.collections.create(name, description=description))  # noqa: B023
    generation = build(store, ALL)
    assert list(store.generations("guide")) == [generation]
    assert set(others) < set(collections(raw, prefix))
