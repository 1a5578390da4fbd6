"""kill -9 in the middle of an ingest: the collection is as before or as after, and the next ingest needs no help."""

import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import pytest

from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.settings import Settings

KILLS = 50
AT_ONCE = 3
"""Kills right at the start, and right after the end: whatever the machine's speed, some are on either side of the commit."""
PRELOADED = [
    __name__,
    "alembic.command",
    "alembic.config",
    "alembic.script",
    "faiss",
    "sqlalchemy.dialects.sqlite",
    "tantivy",
    "rag.llms.litellm",
    "rag.stores.faiss",
    "rag.embedders.hashing",
    "rag.learning",
]


class State(NamedTuple):
    """A collection, as its three witnesses tell it; texts by document."""

    documents: dict[str, str]
    chunks: dict[str, tuple[str, ...]]
    found: frozenset[str]
    """Documents that a search finds, with the version that their text names."""


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two folders: documents that differ, one that does not, and one that only the first, or only the second, has."""
    folders = []
    for version, other in ("alder", "birch"), ("birch", "alder"):
        folder = tmp_path_factory.mktemp(version)
        names = [f"page{number}" for number in range(6)] + [f"only-{version}"]
        for name in names:
            sections = (f"## Part {part}\n\n{name} of the {version} {'says so ' * 60}.\n\n" for part in range(3))
            (folder / f"{name}.md").write_text(f"# {name}\n\n{''.join(sections)}")
        (folder / "constant.md").write_text(f"# Constant\n\nNeither {version[:0]}this nor that.\n")
        (folder / "rows.jsonl").write_text(f'{{"id": "row", "text": "a row of the {version}"}}\n')
        assert other not in "".join(path.read_text() for path in folder.iterdir())
        folders.append(folder)
    return folders


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def run(home: Path, folder: Path, told: Connection) -> None:
    """Ingest, say when it begins and when it has ended, and wait to be killed with everything open."""
    os.chdir(folder)
    told.send("begun")
    with Runtime(Settings(home=home, embedder="hash")) as runtime:
        ingest(["."], "guide", runtime, prune=True)
        told.send("ended")
        time.sleep(600)
