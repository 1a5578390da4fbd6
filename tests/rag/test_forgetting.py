"""What people have removed is found nowhere in the home any more."""

import sqlite3
from pathlib import Path

import pytest

from api.access.keys import Keys
from rag.cli import app
from rag.events import drained
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel, Origin

PATIENT = "Zebulon Quarkmeister"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GROUNDWIRE_EMBEDDER", "hash")
    clinic = tmp_path / "clinic"
    clinic.mkdir()
    (clinic / "patients.md").write_text(f"# Patients\n\n{PATIENT} was treated for gout in ward seven.")
    (clinic / "hours.md").write_text("# Hours\n\nThe clinic opens at eight.")
    run("ingest", "clinic", "--collection", "clinic")
    return tmp_path / "home"


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        app(arguments)
    assert ended.value.code in (0, None)


def holders(home: Path) -> list[str]:
    """Files that name the patient."""
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and PATIENT.encode() in path.read_bytes()]


def vectors(home: Path) -> int:
    with sqlite3.connect(home / "ledger.db") as connection:
        return int(connection.execute("SELECT count(*) FROM vectors").fetchone()[0])


def test_a_removed_document_is_gone_when_older_generations_are(home: Path) -> None:
    assert holders(home)
    assert vectors(home) == 2
    Path("clinic/patients.md").unlink()
    run("ingest", "clinic", "--collection", "clinic", "--prune")
    run("index", "prune", "--collection", "clinic", "--keep", "0")
    assert vectors(home) == 1
    assert holders(home) == []


def test_a_removed_collection_leaves_no_vector(home: Path) -> None:
    run("collections", "remove", "clinic", "--yes")
    assert vectors(home) == 0
    assert holders(home) == []


@pytest.mark.anyio
async def test_what_one_key_asked_can_be_erased(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Runtime(Settings()) as runtime:
        pipeline = await runtime.pipeline("extractive", "clinic")
        key, _ = Keys(runtime.engine).create("ward")
        asked = []
        for name in (key.id, "another"):
            trace = await drained(pipeline.stream("When does it open?", Channel.CHAT, origin=Origin(key=name)))
            asked.append(trace.id)
    run("ledger", "prune", "--key", key.id, "--dry-run")
    run("ledger", "prune", "--key", key.id)
    assert [line.split(" (")[0] for line in capsys.readouterr().out.splitlines()[-2:]] == ["1 traces"] * 2
    run("ledger", "prune", "--collection", "elsewhere")
    with Runtime(Settings()) as runtime:
        assert [trace.id for trace in runtime.traces.latest(10)] == asked[1:]
    run("ledger", "prune", "--trace", asked[1])
    assert "note:" not in capsys.readouterr().err
    run("ledger", "prune", "--trace", asked[1])
    assert capsys.readouterr().err.endswith(f"note: no trace has the id {asked[1]}\n")
    with Runtime(Settings()) as runtime:
        assert runtime.traces.latest(10) == []


def test_nothing_goes_where_nothing_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(["ledger", "prune"])
    assert "name --older, --trace, --key or --collection" in capsys.readouterr().err
