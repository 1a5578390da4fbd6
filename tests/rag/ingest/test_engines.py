"""Whichever engine does the work, the collection is the same; a run that was cut off is taken up where it was.

Each run is the command itself, in a process of its own: Ray lives and dies with it.
"""

import importlib.util
import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rag.errors import ConfigurationError
from rag.ingest.ingest import BATCH, ingest

from .conftest import Workplace
from .test_readers import pdf

RAG = Path(sys.executable).parent / "rag"
PATIENCE = 150.0
ROWS = 12 * BATCH
"""Each a chunk, so that there are batches of vectors before and after a run is cut off."""
REPEATED = 8
"""Of every other batch, how many are as in the batch before."""
TEXTS = ROWS - 6 * REPEATED

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed")


class Home(NamedTuple):
    """What is known of a collection, and the processes that work at it."""

    path: Path
    temporary: Path
    embedder: str = "hash"

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GROUNDWIRE_", "RAY_"))}
        return {**kept, "GROUNDWIRE_HOME": str(self.path), "GROUNDWIRE_EMBEDDER": self.embedder, "TMPDIR": str(self.temporary)}

    def start(self, folder: Path, engine: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [RAG, "ingest", ".", "--engine", engine, "--prune", "--json"],
            cwd=folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        """The report, without what differs from run to run."""
        answer, said = process.communicate(timeout=PATIENCE)
        assert answer, said
        report: dict[str, Any] = json.loads(answer)
        del report["seconds"]
        report["generation"] = report["generation"].rpartition("-")[2]
        return report

    def run(self, folder: Path, engine: str) -> dict[str, Any]:
        return self.finish(self.start(folder, engine))

    def rows(self) -> dict[str, list[Any]]:
        names = ("sources", "documents", "chunks", "vectors", "quarantine")
        return {name: self.select(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in names}

    def select(self, sql: str) -> list[Any]:
        connection = sqlite3.connect(f"{(self.path / 'ledger.db').as_uri()}?mode=rw", timeout=PATIENCE, uri=True)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def vectors(self) -> int:
        try:
            return int(self.select("SELECT count(*) FROM vectors")[0][0])
        except sqlite3.OperationalError:
            return 0

    def processes(self) -> dict[int, str]:
        """What runs for this home, by id: its environment is handed down to all that Ray starts."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if f"GROUNDWIRE_HOME={self.path}\0".encode() in (folder / "environ").read_bytes():
                    found[int(folder.name)] = (folder / "cmdline").read_text()
            except OSError:
                continue
        return found

    def worker(self) -> int:
        """One that is at work, or 0."""
        return next((id for id, command in self.processes().items() if command.startswith("ray::_run")), 0)


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def made(path: Path) -> Iterator[Home]:
    # The names of Ray's sockets are long, and may not be longer than a kernel allows.
    with tempfile.TemporaryDirectory(prefix="gw-") as temporary:
        home = Home(path, Path(temporary))
        yield home
        for process in home.processes():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with made(tmp_path / "home") as home:
        yield home


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Home]:
    with made(tmp_path / "other") as home:
        yield home


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Something of everything, more than one portion of it."""
    folder = tmp_path / "here"
    (folder / "sub").mkdir(parents=True)
    page = "# Page {0}\n\nThe first part of page {0}.\n\n## More\n\n" + "Page {0} says it once more, and then again. " * 40
    files: dict[str, str | bytes] = {
        **{f"sub/page{number:02}.md": page.format(number) for number in range(20)},
        "page.html": "<title>Eine Seite</title><h1>Wetter</h1><p>Das Wetter in den Bergen war heute Morgen sehr kalt.</p>",
        "paper.pdf": pdf("The first page of a paper.", "The second page of a paper.", title="Paper"),
        "rows.jsonl": "".join(f'{{"id": "row-{number}", "text": "What row {number} says."}}\n' for number in range(40)) + "[]\n",
        "table.csv": "id,text,kind\none,The first row.,a\ntwo,The second row.,b\none,An id again.,c\nthree,too,many,columns\n",
        "twin.txt": "The same text.",
        "another.txt": "The same text.",
        "corrupt.pdf": b"%PDF-1.7 nothing of the kind",
        "nested.html": "<div>" * 20_000,
        "bytes.txt": b"abc \xff\xfe def",
        "empty.md": "",
        "image.png": b"\x89PNG\r\n\x1a\n\0\0\0",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    (folder / "lost.txt").symlink_to(folder / "nowhere")
    return folder


def change(folder: Path) -> None:
    (folder / "sub/page00.md").unlink()
    (folder / "sub/page01.md").write_text("# Page 1\n\nRewritten.")
    (folder / "twin.txt").write_text("A text of its own.")
    (folder / "rows.jsonl").write_text(
        '{"id": "row-1", "text": "What row 1 says."}\n{"id": "row-2", "text": "Something else."}\n'
    )


@needs_ray
def test_both_engines_make_the_same(home: Home, other: Home, folder: Path) -> None:
    first = other.run(folder, "local")
    assert (first["documents"], len(first["quarantined"]), len(first["skipped"])) == (65, 9, 1)
    assert home.run(folder, "ray") == first
    assert home.rows() == other.rows()
    change(folder)
    second = other.run(folder, "local")
    assert (second["added"], second["changed"], second["removed"], second["embedded"]) == (1, 2, 39, 3)
    assert home.run(folder, "ray") == second
    assert home.rows() == other.rows()
    assert home.processes() == {}
    assert list(home.temporary.glob("ray-*")) == []


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Some of each other batch of texts are as in the batch before: both may be under way."""
    folder = tmp_path / "rows"
    folder.mkdir()
    again = range(BATCH, BATCH + REPEATED)
    said = {number: number - BATCH if number % (2 * BATCH) in again else number for number in range(ROWS)}
    lines = (f'{{"id": "{number:04}", "text": "Number {text} of the rows."}}\n' for number, text in said.items())
    (folder / "rows.jsonl").write_text("".join(lines))
    return folder


@needs_ray
def test_what_is_cut_off_is_taken_up(home: Home, other: Home, rows: Path) -> None:
    home, other = home._replace(embedder="onnx"), other._replace(embedder="onnx")
    process = home.start(rows, "ray")
    until(home.vectors)
    process.kill()
    process.communicate(timeout=PATIENCE)
    # Ray's agents, which do no work, take a minute to find out.
    until(lambda: not home.worker())
    assert home.select("SELECT * FROM collections") == []
    kept = home.vectors()
    assert kept < TEXTS

    process = home.start(rows, "ray")
    until(lambda: home.vectors() > kept)
    until(home.worker)
    os.kill(home.worker() or process.pid, signal.SIGKILL)
    report = home.finish(process)
    assert (report["embedded"], report["reused"]) == (TEXTS - kept, ROWS - TEXTS + kept)

    whole = other.run(rows, "local")
    assert {**report, "embedded": TEXTS, "reused": ROWS - TEXTS} == whole
    assert home.rows() == other.rows()


@needs_ray
def test_an_interrupt_ends_it_with_its_ray(home: Home, rows: Path) -> None:
    process = home.start(rows, "ray")
    until(home.worker)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    until(lambda: not home.processes())
    assert home.select("SELECT * FROM collections") == []
    assert list(home.temporary.glob("ray-*")) == []


@needs_ray
def test_what_a_worker_raises_is_told(home: Home, folder: Path) -> None:
    program = """if True:
        from rag.embedders.hashing import HashingEmbedder
        from rag.errors import ConfigurationError
        from rag.ingest.ingest import ingest
        from rag.runtime import Runtime
        from rag.settings import Settings

        class Other(HashingEmbedder):
            identity = "hash:other@2"

        with Runtime(Settings()) as runtime:
            runtime._embedders["hash"] = Other()
            try:
                ingest(["."], "guide", runtime, engine="ray")
            except ConfigurationError as error:
                print(error)
    """
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=folder, env=home.environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert ran.stdout == (
        "a worker of Ray has the embedder hash:words@1, where the ingest was started it is hash:other@2: "
        "install the same weights on every machine of the cluster\n"
    ), ran.stderr
    assert home.processes() == {}


@needs_ray
def test_a_cluster_that_is_not_there_is_told(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {**os.environ, "RAY_ADDRESS": "nowhere", "GROUNDWIRE_HOME": str(workplace.folder.parent / "home")}
    ran = subprocess.run(
        [RAG, "ingest", ".", "--engine", "ray"], env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 2
    assert "Ray at nowhere cannot be used" in " ".join(ran.stderr.split())


def test_an_engine_that_is_not_installed_is_told(workplace: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    workplace.write("a.md", "Text.")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigurationError, match=r"engine ray needs Ray: pip install 'groundwire\[ray\]'"):
        ingest(["."], "guide", workplace.runtime, engine="ray")
    assert workplace.corpus.collections() == []


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(ConfigurationError("this is wrong", "do that")))
    assert (type(error), error.problem, error.mend, str(error)) == (
        ConfigurationError,
        "this is wrong",
        "do that",
        "this is wrong: do that",
    )
