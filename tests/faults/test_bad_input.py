"""Whatever people hand us: one line that names the thing and the mend, an exit code, and nothing lost."""

import importlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

import prompts
from rag.ingest.ingest import ingest
from rag.progress import Stage
from rag.runtime import Runtime
from rag.settings import Settings
from tests.conftest import PAGES

BIN = Path(sys.executable).parent
BAR = re.compile("|".join(map(re.escape, Stage)))


class Told(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


Run = Callable[..., Told]


def refused(told: Told, *words: str, code: int = 2) -> None:
    """One line, bars of progress aside, that says all this; and no traceback anywhere."""
    lines = [line for line in told.err.splitlines() if line.strip() and not BAR.match(line)]
    assert len(lines) == 1, told
    assert lines[0].startswith("error: ")
    assert ": " in lines[0].removeprefix("error: ")
    for word in words:
        assert word in lines[0]
    assert told.code == code
    assert "Traceback" not in told.out


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with one collection, `shop`."""
    folder = tmp_path_factory.mktemp("filled")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    with Runtime(Settings(home=folder / "home", embedder="hash")) as runtime:
        ingest([str(folder / name) for name in PAGES], "shop", runtime)
    return folder / "home"


@pytest.fixture
def home(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, which the commands work on; an empty folder beside it is the current one."""
    home = tmp_path / "home"
    shutil.copytree(filled, home)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    variants = tmp_path / "variants"
    variants.mkdir()
    (variants / "default.toml").write_text('[llm]\nmodel = "local/extractive"\n[retriever]\nabstain = false\n')
    for name, value in {"HOME": str(home), "EMBEDDER": "hash", "VARIANTS": str(variants)}.items():
        monkeypatch.setenv(f"GROUNDWIRE_{name}", value)
    monkeypatch.setenv("COLUMNS", "300")
    return home


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process, as its entry point does."""

    def ran(command: str, *arguments: str) -> Told:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            importlib.import_module(f"{command}.cli").app(list(arguments), prog_name=command)
        code = ended.value.code
        assert isinstance(code, int | None)
        return Told(code or 0, *capsys.readouterr())

    return ran


def started(command: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Told:
    """Runs a command as people do."""
    done = subprocess.run(
        [BIN / command, *arguments], env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=False
    )
    return Told(done.returncode, done.stdout, done.stderr)


def answer(run: Run) -> str:
    told = run("rag", "search", "How long is the warranty?", "-c", "shop", "-k", "20", "--json")
    assert told.code == 0, told
    return told.out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("broken.pdf", b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog", ("unreadable", "broken.pdf: ")),
        ("nothing.md", b"", ("empty", "nothing.md: no text")),
        ("bytes.txt", b"caf\xc3\x28 \xff\xfe \x81\x8d", ("not decodable", "bytes.txt: ", "convert it to UTF-8")),
        ("rows.jsonl", b'{"text": "one"}\nnot json\n{"text": "three"}\n', ("bad row", "rows.jsonl:2: not JSON")),
    ],
    ids=["corrupt PDF", "0 bytes", "no encoding", "no JSON"],
)
def test_a_bad_file_is_named_and_the_others_are_ingested(name: str, content: bytes, said: tuple[str, ...], run: Run) -> None:
    before = json.loads(answer(run))
    Path(name).write_bytes(content)
    Path("good.md").write_text("# Good\n\nA page like any other, about toasters.\n")
    told = run("rag", "ingest", ".", "--collection", "shop")
    assert told.code == 1
    for word in said:
        assert word in told.out
    assert "Traceback" not in told.err
    after = json.loads(answer(run))
    assert {passage["text"] for passage in before} < {passage["text"] for passage in after}
    rows = {"one", "three"} if name == "rows.jsonl" else set()
    assert {passage["text"] for passage in after if passage["source"] == name} == rows
    assert any(passage["source"] == "good.md" for passage in after)


def test_a_file_that_goes_bad_keeps_its_last_good_version(run: Run) -> None:
    Path("page.md").write_text("# Toasters\n\nToasters are covered for 12 months.\n")
    assert run("rag", "ingest", "page.md", "-c", "shop").code == 0
    before = answer(run)
    Path("page.md").write_bytes(b"\xff\x81\x8d" * 30)
    assert run("rag", "ingest", "page.md", "-c", "shop").code == 1
    assert [passage["text"] for passage in json.loads(answer(run))] == [passage["text"] for passage in json.loads(before)]


COMMANDS = {
    "a path that is not there": ("rag ingest nowhere -c shop", ("nowhere does not exist", "name a file")),
    "a collection that is not there": ("rag search q -c nothing", ("collection nothing", "there are: shop", "rag ingest")),
    "a collection that no name can be": ("rag ingest . -c ../up", ("'../up'", "a-z")),
    "an empty question": ("rag ask -c shop ", ("the question is empty",)),
    "a filter without a value": ("rag search q -c shop --where nonsense", ("--where nonsense", "KEY=VALUE")),
    "a time that is no span": ("rag trace --since tomorrow", ("--since tomorrow", "12h")),
    "a mode that is none": ("rag search q -c shop --mode psychic", ("psychic", "hybrid, dense, lexical")),
    "a trace that is not there": ("rag trace 0123", ("0123", "rag trace")),
    "a generation that is not there": ("rag index use 0123 -c shop", ("0123", "rag index list")),
    "a variant that is not there": ("rag ask q -c shop --variant bold", ("variant bold does not exist", "there are default")),
    "a model that is not there": ("rag ask q -c shop --model nonsense", ("nonsense",)),
    "a local model that is not there": ("rag ask q -c shop --model local/gpt", ("local/gpt", "local/extractive")),
    "a prompt that is not there": ("prompts show answr", ("no prompt answr", "did you mean answer?")),
    "serving a collection that is not there": ("api serve --collection nothing", ("collection nothing", "rag ingest")),
    "serving a variant that is not there": ("api serve --collection shop --variant bold", ("variant bold", "default")),
}


@pytest.mark.parametrize(("line", "words"), COMMANDS.values(), ids=COMMANDS)
def test_what_does_not_exist_is_refused_in_one_line(line: str, words: tuple[str, ...], run: Run) -> None:
    before = answer(run)
    refused(run(*line.split(" ")), *words)
    assert answer(run) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[prompts]\nanswer = "answer@99"\n', ("answer@99", "answer@2")),
        ("[llm\n", ("own.toml", "not TOML", "line 1")),
        ("[retriever]\ntop_k = 0\n", ("own.toml", "retriever.top_k")),
        ("[retriever]\nhybrid = true\n", ("own.toml", "retriever.hybrid")),
        ('[validator]\nname = "oracle"\n', ("oracle",)),
    ],
    ids=["unknown prompt", "not TOML", "out of bounds", "unknown field", "unknown validator"],
)
def test_a_broken_variant_is_refused_in_one_line(text: str, words: tuple[str, ...], run: Run, tmp_path: Path) -> None:
    (tmp_path / "variants" / "own.toml").write_text(text)
    refused(run("rag", "ask", "How long is the warranty?", "-c", "shop", "--variant", "own"), *words)
    refused(run("api", "serve", "--collection", "shop", "--variant", "own", "--port", "0"), *words)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--collection", "nothing"), ("collection nothing", "there are: shop")),
        (("--collection", "shop", "--variant", "own"), ("variant own does not exist", "default")),
        (("--collection", "shop", "--host", "0.0.0.0"), ("without a key", "0.0.0.0")),
    ],
    ids=["collection", "variant", "host"],
)
def test_several_workers_are_refused_what_one_is_refused(options: tuple[str, ...], words: tuple[str, ...], home: Path) -> None:
    one, two = (started("api", "serve", "--port", "0", "--workers", number, *options) for number in "12")
    refused(one, *words)
    assert two == one


def test_a_broken_prompt_is_refused_in_one_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"
    shutil.copytree(Path(prompts.__file__).parent / "answer", library / "answer")
    newest = library / "answer" / "v2.prompty"
    newest.write_text(newest.read_text().replace("{%", "{% no such thing", 1))
    monkeypatch.setenv("GROUNDWIRE_PROMPTS", str(library))
    refused(run("rag", "ask", "How long is the warranty?", "-c", "shop"), "v2.prompty:")


def test_a_key_that_is_missing_is_named_and_the_failure_is_recorded(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    told = run("rag", "ask", "How long is the warranty?", "-c", "shop", "--model", "openai/gpt-4.1-mini")
    assert told.code == 1
    assert "OPENAI_API_KEY" in told.out + told.err
    assert "Traceback" not in told.out + told.err
    recorded = [json.loads(line) for line in run("rag", "trace", "--json").out.splitlines()]
    assert [(trace["outcome"], "OPENAI_API_KEY" in trace["reason"]) for trace in recorded] == [("failed", True)]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [flip, halve, Path.unlink], ids=["flipped", "truncated", "deleted"])
def test_a_damaged_index_is_refused_by_name_and_rebuilt_without_embedding(
    damage: Callable[[Path], None], run: Run, home: Path
) -> None:
    before = answer(run)
    (generation,) = home.glob("index/shop/*")
    names = ["manifest.json", *json.loads((generation / "manifest.json").read_text())["files"]]
    assert {"vectors.faiss", "passages.db", "generation.json", "lexical/meta.json"} < set(names)
    for name in names:
        path = generation / name
        whole = path.read_bytes()
        damage(path)
        named = str(path) if (generation / "manifest.json").exists() else generation.name
        refused(run("rag", "search", "How long is the warranty?", "-c", "shop"), named, "rag index rebuild")
        path.write_bytes(whole)
        assert answer(run) == before
    for name in names:
        damage(generation / name)
    refused(run("rag", "ask", "How long is the warranty?", "-c", "shop"), generation.name, "rag index rebuild")
    assert run("rag", "index", "rebuild", "-c", "shop").code == 0
    assert answer(run) == before


def test_a_rebuild_takes_the_vectors_from_the_ledger(run: Run, home: Path) -> None:
    dense = ("rag", "search", "How long is the warranty?", "-c", "shop", "-k", "20", "--mode", "dense", "--json")
    before = {passage["chunk_id"]: passage["dense"] for passage in json.loads(run(*dense).out)}
    with closing(sqlite3.connect(home / "ledger.db")) as ledger, ledger:
        for sha256, vector in ledger.execute("SELECT sha256, vector FROM vectors").fetchall():
            turned = bytes(byte ^ 0x80 if place % 4 == 3 else byte for place, byte in enumerate(vector))
            ledger.execute("UPDATE vectors SET vector = ? WHERE sha256 = ?", (turned, sha256))
    assert run("rag", "index", "rebuild", "-c", "shop").code == 0
    after = {passage["chunk_id"]: passage["dense"] for passage in json.loads(run(*dense).out)}
    assert after == {chunk: pytest.approx(-cosine) for chunk, cosine in before.items()}


def test_a_ledger_that_is_no_database_is_refused_in_one_line(run: Run, home: Path) -> None:
    for file in home.glob("ledger.db*"):
        file.unlink()
    (home / "ledger.db").write_bytes(b"anything but a database " * 500)
    for line in ("search q -c shop", "ask q -c shop", "ingest . -c shop", "trace", "index list -c shop"):
        refused(run("rag", *line.split()), str(home / "ledger.db"), "restore it from a backup")
    assert (home / "ledger.db").read_bytes().startswith(b"anything but a database ")


NOBODY = """
import contextlib, os, sys
from rag.cli import app
home, *arguments = sys.argv[1:]
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
    app(arguments)
if os.geteuid() == 0:
    os.setuid(65534)
os.environ["GROUNDWIRE_HOME"] = home
app(arguments)
"""
"""A command in the home that the environment names, which loads whatever it needs, and again without privileges in another."""


def test_a_read_only_home_is_told_with_its_mend(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = answer(run)
    with TemporaryDirectory() as folder:
        readable = Path(folder) / "home"
        shutil.copytree(home, readable)
        page = Path(folder) / "page.md"
        page.write_text("# Toasters\n\nToasters are covered for 12 months.\n")
        for path in (page, *readable.rglob("*"), readable, Path(folder)):
            path.chmod(0o555 if path.is_dir() else 0o444)
        for arguments in (("ingest", str(page), "-c", "shop"), ("ask", "q", "-c", "shop")):
            done = subprocess.run(
                [sys.executable, "-c", NOBODY, str(readable), *arguments], capture_output=True, text=True, check=False
            )
            refused(Told(done.returncode, done.stdout, done.stderr), str(readable), "GROUNDWIRE_HOME")
        for path in (Path(folder), readable, *readable.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        monkeypatch.setenv("GROUNDWIRE_HOME", str(readable))
        assert answer(run) == before


@pytest.fixture
def small_disk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The home, on a disk of 4 MiB."""
    with TemporaryDirectory() as folder:
        disk = Path(folder)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", disk], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip("mounting a disk is not permitted here")
        try:
            shutil.copytree(home, disk / "home")
            monkeypatch.setenv("GROUNDWIRE_HOME", str(disk / "home"))
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_is_told_and_loses_nothing(run: Run, small_disk: Path) -> None:
    before = answer(run)
    for number in range(40):
        text = "".join(f"Line {line} of page {number}.\n" for line in range(120))
        Path(f"page{number}.md").write_text(f"# Page {number}\n\n{text}")
    for left in (400_000, 200_000, 80_000, 0):
        filler = small_disk / "filler"
        filler.write_bytes(b"0" * (shutil.disk_usage(small_disk).free - left))
        refused(started("rag", "ingest", ".", "-c", "shop"), str(small_disk))
        if not left:
            refused(started("rag", "ask", "q", "-c", "shop"), str(small_disk), "free some disk space")
        filler.unlink()
        assert answer(run) == before
    assert run("rag", "ingest", ".", "-c", "shop").code == 0
    assert list((small_disk / "home/index/shop").glob(".*")) == []


def test_a_port_in_use_is_refused_in_one_line(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(started("api", "serve", "--collection", "shop", "--port", port), port)


def test_a_command_started_by_people_ends_the_same(home: Path) -> None:
    refused(started("rag", "search", "q", "-c", "nothing"), "collection nothing", "there are: shop")
    refused(started("prompts", "show", "answr"), "no prompt answr")
    unknown = started("rag", "search", "q", "--nonsense")
    assert unknown.code == 2
    assert "Traceback" not in unknown.err
