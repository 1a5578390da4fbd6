"""What the `rag` command does beyond handing on: pruning, filters, spans of time, and text with brackets."""

import pytest
from typer.testing import CliRunner

from rag.cli import app
from rag.console import trace_page, trace_table
from rag.ingest.ingest import ingest
from rag.llms.base import Attempt, Purpose
from rag.runtime import Runtime
from rag.settings import Settings
from tests.rag.ledger.test_traces import trace


@pytest.fixture
def home(tmp_path, monkeypatch) -> Settings:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GROUNDWIRE_HOME", "data/run")
    return Settings(embedder="hash")


def test_prune_keeps_as_many_as_it_is_told(home: Settings) -> None:
    with Runtime(home) as runtime:
        for number in range(3):
            home.home.parent.parent.joinpath("page.md").write_text(f"# Page\n\nNumber {number}.\n")
            ingest(["page.md"], "default", runtime)
    listed = CliRunner().invoke(app, ["index", "list", "--json"]).stdout
    CliRunner().invoke(app, ["index", "prune", "--keep", "3"], catch_exceptions=False)
    assert CliRunner().invoke(app, ["index", "list", "--json"]).stdout == listed
    assert CliRunner().invoke(app, ["index", "prune", "--keep", "1"]).stdout.count("removed") == 1
    assert CliRunner().invoke(app, ["index", "prune", "--keep", "0"]).stdout.count("removed") == 1


def test_a_folder_around_our_own_does_not_ingest_it(home: Settings) -> None:
    home.home.parent.parent.joinpath("page.md").write_text("# Page\n\nOnly this one.\n")
    with Runtime(home) as runtime:
        assert [ingest(["."], "default", runtime).documents for _ in range(3)] == [1, 1, 1]


def test_a_span_longer_than_time_is_all_of_it(home: Settings) -> None:
    assert CliRunner().invoke(app, ["trace", "--since", "99999999999d"], catch_exceptions=False).exit_code == 0


def test_brackets_are_text() -> None:
    from rich.console import Console

    failed = Attempt(purpose=Purpose.ANSWER, model="m", started_ms=0, total_ms=1, error="said [/INST] and [bold]")
    console = Console(record=True, width=200)
    console.print(trace_page(trace("why [/b]?", attempts=(failed,))), trace_table([trace("why [/b]?")]))
    shown = console.export_text()
    assert "said [/INST] and [bold]" in shown
    assert shown.count("why [/b]?") == 2
