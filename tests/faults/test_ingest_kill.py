"""kill -9 in the middle of an ingest: the collection is as before or as after, and the next ingest needs no help."""

import multiprocessing
import os
import random
import shutil
import time
from collections import Counter
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import NamedTuple

import pytest

from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.settings import Settings

KILLS = 50
FIRST = 8
"""Of them, how many come during the first ingest of a new home."""
SURE = 3
"""Of them, how many come as soon as the ingest begins, and how many once it has returned: on any machine some are on either side."""


class State(NamedTuple):
    """A collection, as each of its witnesses tells it."""

    documents: dict[str, str]
    """The sha256 of each, by id, in SQL."""
    chunks: tuple[str, ...]
    """Their texts, in the current generation."""
    found: frozenset[str]
    """What a search finds."""


def settings(home: Path) -> Settings:
    return Settings(home=home, embedder="hash")


def state(home: Path) -> State | None:
    """None where there is no collection. The generation is opened through the store, which compares every checksum."""
    with Runtime(settings(home)) as runtime:
        if not runtime.corpus.collections():
            return None
        retriever = runtime.retriever("guide")
        size = retriever.index.generation.chunks
        chunks = retriever.index.chunks(range(size))
        assert chunks == list(runtime.corpus.chunks("guide"))
        vector = retriever.embed("version")
        found = retriever.search("version", vector, mode="hybrid", top_k=size, candidates=size, where={})
        documents = {id: sha256 for id, (_, sha256) in runtime.corpus.documents("guide").items()}
        assert documents.keys() == {chunk.document_id for chunk in chunks}
        return State(documents, tuple(chunk.text for chunk in chunks), frozenset(passage.text for passage in found.passages))


def run(home: Path, folder: Path, told: Connection) -> None:
    """Ingest, tell when it begins and when it has returned, then hold everything open until killed."""
    place = home.parent / "documents"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder, place)
    os.chdir(place)
    told.send("begun")
    with Runtime(settings(home)) as runtime:
        ingest(["."], "guide", runtime, prune=True)
        told.send("done")
        time.sleep(600)


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, "tests.faults.warm"])
    return context


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two versions of a folder: documents that differ, one that is the same, and one that only that version has."""
    made = []
    for tree in ("alder", "birch"):
        folder = tmp_path_factory.mktemp(tree)
        for page in (*(f"page{number}" for number in range(4)), f"only-{tree}"):
            parts = (
                f"## Part {part}\n\nVersion {tree} of {page}. {f'{tree.title()} grows there. ' * 15}\n\n" for part in range(2)
            )
            (folder / f"{page}.md").write_text(f"# {page}\n\n{''.join(parts)}")
        (folder / "same.md").write_text("# Same\n\nThis page is the same in every version.\n")
        (folder / "rows.jsonl").write_text(f'{{"id": "row", "text": "A row of the {tree} version."}}\n')
        made.append(folder)
    return made[0], made[1]


def killed(processes: ForkServerContext, home: Path, folder: Path, after: float | None) -> float:
    """Start an ingest and kill it so many seconds after it began, or once it has returned; how long it ran until then."""
    here, there = processes.Pipe(duplex=False)
    process = processes.Process(target=run, args=(home, folder, there))
    process.start()
    there.close()
    with here:
        assert here.recv() == "begun"
        began = time.perf_counter()
        if after is None:
            assert here.recv() == "done"
        else:
            time.sleep(after)
        ran = time.perf_counter() - began
        process.kill()
        process.join()
    assert process.exitcode == -9
    return ran


def left_behind(home: Path) -> list[Path]:
    return [path for path in home.glob("index/guide/*") if path.name.startswith(".")]


def test_a_killed_ingest_happened_or_did_not(processes: ForkServerContext, folders: tuple[Path, Path], tmp_path: Path) -> None:
    home = tmp_path / "home"
    states, seconds = [], []
    for folder in folders:
        seconds.append(killed(processes, home, folder, None))
        states.append(state(home))
    moments = [random.uniform(0, 1.2 * seconds[1]) for _ in range(KILLS - FIRST - 2 * SURE)]
    delays = random.sample([*[0.0] * SURE, *moments, *[None] * SURE], KILLS - FIRST)
    current, outcomes, interrupted = 1, Counter[bool](), 0
    for delay in delays:
        killed(processes, home, folders[1 - current], delay)
        interrupted += bool(left_behind(home))
        now = state(home)
        assert now in states
        happened = now != states[current]
        outcomes[happened] += 1
        current ^= happened
    assert min(outcomes[True], outcomes[False]) >= SURE
    assert interrupted, "no kill came while an index was being built"

    killed(processes, home, folders[1 - current], None)
    assert state(home) == states[1 - current]
    assert left_behind(home) == []


def test_a_killed_first_ingest_happened_or_did_not(
    processes: ForkServerContext, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    seconds = killed(processes, tmp_path / "whole", folders[0], None)
    whole = state(tmp_path / "whole")
    for number in range(FIRST):
        home = tmp_path / f"home{number}"
        killed(processes, home, folders[0], seconds * (number / FIRST) ** 2)
        assert state(home) in (None, whole)
        killed(processes, home, folders[0], None)
        assert state(home) == whole
        assert left_behind(home) == []
