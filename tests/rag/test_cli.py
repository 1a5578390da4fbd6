"""What the `rag` command does beyond handing on: pruning, filters, spans of time, and text with brackets."""

import json
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from rag.cli import ChannelName, OutcomeName, app
from rag.console import trace_list, trace_page
from rag.ingest.context import open_context
from rag.ingest.ingest import ingest
from rag.llms.base import Attempt, Purpose, Usage
from rag.progress import silent
from rag.runtime import Runtime
from rag.settings import PACKAGE, Settings
from rag.trace import Channel, Outcome
from rag.types import Claim, Verdict
from rag.variant import load
from tests.rag.ledger.test_traces import trace
from tests.servers.provider import Provider, Reply

MAX_TOKENS = {name: load(PACKAGE / "variants", name).llm.max_tokens for name in ("hosted", "extractive")}


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


def test_prune_leaves_the_vectors_of_an_ingest_that_runs(home: Settings) -> None:
    Path("page.md").write_text("# Page\n\nOne.\n")
    with Runtime(home) as runtime:
        ingest(["page.md"], "default", runtime)
        other = runtime.corpus.collection("default")._replace(name="other")
        with open_context(other, runtime, "local", silent):
            told = CliRunner().invoke(app, ["index", "prune"], catch_exceptions=False)
    assert told.stderr.startswith("note: vectors stay while an ingest runs")


def test_a_folder_around_our_own_does_not_ingest_it(home: Settings) -> None:
    home.home.parent.parent.joinpath("page.md").write_text("# Page\n\nOnly this one.\n")
    with Runtime(home) as runtime:
        assert [ingest(["."], "default", runtime).documents for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize(
    "arguments",
    [("trace",), ("collections",), ("search", "x"), ("ask", "x"), ("index", "list"), ("ledger", "prune", "--older", "1d")],
)
def test_reading_makes_no_home_and_names_the_one_that_is_not_there(home: Settings, arguments: tuple[str, ...]) -> None:
    refused = CliRunner().invoke(app, arguments).exception
    assert f"there is nothing in the home {home.home.absolute()} yet" in str(refused)
    assert "GROUNDWIRE_HOME" in str(refused)
    assert not home.home.exists()


@pytest.mark.parametrize("command", [("search",), ("ask", "--variant", "extractive")])
def test_a_filter_by_a_key_that_nothing_has_is_told(home: Settings, command: tuple[str, ...]) -> None:
    Path("rows.jsonl").write_text('{"text": "The T90 lasts ten hours.", "model": "T90", "price": 5}\n')
    with Runtime(home) as runtime:
        ingest(["rows.jsonl"], "default", runtime)
    told = [
        CliRunner().invoke(app, [*command, "How long does the T90 last?", "--where", filter], catch_exceptions=False).stderr
        for filter in ("modell=T90", "model=T91", "model=T90")
    ]
    assert told == [
        "note: no document of default has modell: there are model, price\n",
        "note: no document of default has model=T91\n",
        "",
    ]


def test_a_filter_finds_the_numbers_and_truth_values_of_a_table(home: Settings) -> None:
    Path("rows.csv").write_text("id,text,year,zip,price,flag\na1,The T90 lasts ten hours.,2024,01067,39.90,true\n")
    with Runtime(home) as runtime:
        ingest(["rows.csv"], "default", runtime)

    def found(filter: str) -> int:
        told = CliRunner().invoke(app, ["search", "T90", "--json", "--where", filter], catch_exceptions=False)
        return len(json.loads(told.stdout))

    assert [found(filter) for filter in ("year=2024", "zip=01067", "price=39.90", "flag=true", "year=2023")] == [1, 1, 1, 1, 0]


def test_documents_are_listed(home: Settings) -> None:
    Path("page.md").write_text("# Page\n\nThe first page says one thing.\n")
    Path("rows.csv").write_text("id,text,year\na1,The T90 lasts ten hours.,2024\n")
    with Runtime(home) as runtime:
        ingest(["page.md", "rows.csv"], "default", runtime)
    listed = CliRunner().invoke(app, ["documents", "--json"], catch_exceptions=False).stdout.splitlines()
    assert [json.loads(line) | {"language": ""} for line in listed] == [
        {"id": "a1", "title": "", "source": "rows.csv", "chunks": 1, "language": "", "metadata": {"year": "2024"}},
        {"id": "page.md", "title": "Page", "source": "page.md", "chunks": 1, "language": "", "metadata": {}},
    ]
    shown = CliRunner().invoke(app, ["documents"], catch_exceptions=False).stdout
    for part in ("a1", "rows.csv, year=2024", "page.md  Page"):
        assert part in shown
    assert "does not exist" in str(CliRunner().invoke(app, ["documents", "-c", "nope"]).exception)


def test_a_document_is_shown_as_its_passages(home: Settings) -> None:
    Path("long.txt").write_text("\f".join(f"Page {number} says something about step {number}. " * 40 for number in (1, 2, 3)))
    Path("plain.csv").write_text("text\nThe T90 lasts ten hours.\n")
    with Runtime(home) as runtime:
        ingest(["long.txt", "plain.csv"], "default", runtime)
        text = Path("long.txt").read_text()
    lines = CliRunner().invoke(app, ["documents", "long.txt", "--json"], catch_exceptions=False).stdout.splitlines()
    chunks = [json.loads(line) for line in lines]
    assert len(chunks) > 3
    for chunk in chunks:
        assert chunk["text"] == text[chunk["start"] : chunk["end"]]
        assert f"Page {chunk['page']} says" in chunk["text"]
    shown = CliRunner().invoke(app, ["documents", "long.txt"], catch_exceptions=False).stdout
    assert f"long.txt (page {chunks[-1]['page']}, characters {chunks[-1]['start']}-{chunks[-1]['end']})" in shown
    assert chunks[-1]["text"][:60] in shown
    untitled = CliRunner().invoke(app, ["documents", "plain.csv#1"], catch_exceptions=False).stdout
    assert untitled.startswith("plain.csv#1 (characters 0-24)\n")
    refused = CliRunner().invoke(app, ["documents", "nope.md"]).exception
    assert "collection default has no document nope.md" in str(refused)


def test_an_ingest_of_another_folder_is_refused_until_it_is_said_to_have_moved(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDWIRE_HOME", str(tmp_path / "data/run"))
    monkeypatch.setenv("GROUNDWIRE_EMBEDDER", "hash")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "page.md").write_text(f"# Page\n\nThis is page {name}.\n")
    monkeypatch.chdir(tmp_path / "one")
    assert CliRunner().invoke(app, ["ingest", "."]).exit_code == 0
    monkeypatch.chdir(tmp_path / "two")
    assert "add --moved" in str(CliRunner().invoke(app, ["ingest", "."]).exception)
    moved = json.loads(CliRunner().invoke(app, ["ingest", ".", "--moved", "--json"], catch_exceptions=False).stdout)
    assert (moved["changed"], moved["documents"]) == (1, 1)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("--model", "openai/gpt-4.1"), "hosted"),
        (("--model", "local/extractive"), "default"),
        (("--model", "openai/gpt-4.1", "--variant", "extractive"), "extractive"),
    ],
)
def test_a_model_of_a_provider_answers_by_the_variant_for_such(
    home: Settings, server: Provider, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], name: str
) -> None:
    for variable, value in server.environment.items():
        monkeypatch.setenv(variable, value)
    Path("page.md").write_text("# Kettles\n\nKettles are covered for 24 months.\n")
    with Runtime(home) as runtime:
        ingest(["page.md"], "default", runtime)
    server.script(Reply(pieces=("Kettles are covered for 24 months [1].",)))
    told = CliRunner().invoke(app, ["ask", "For how long are kettles covered?", "--json", *arguments], catch_exceptions=False)
    asked = json.loads(told.stdout)
    note = f"note: {arguments[1]} answers by the variant {name}; --variant names another\n"
    assert told.stderr == (note if name == "hosted" else "")
    assert "Kettles are covered for 24 months" in asked["answer"]
    assert (asked["variant"]["name"], asked["variant"]["llm"]["model"]) == (name, arguments[1])
    assert asked["variant"]["llm"]["fallbacks"] == []
    assert [call.body["max_tokens"] for call in server.calls] == ([] if "local" in arguments[1] else [MAX_TOKENS[name]])


def test_an_empty_question_is_refused_before_any_is_asked(home: Settings) -> None:
    Path("page.md").write_text("# Page\n\nOne.\n")
    with Runtime(home) as runtime:
        ingest(["page.md"], "default", runtime)
    refused = CliRunner().invoke(app, ["ask", "What is one?", " ", "--variant", "extractive"])
    assert "the question is empty" in str(refused.exception)
    with Runtime(home) as runtime:
        assert runtime.traces.latest(9) == []


def test_collections_are_listed(home: Settings) -> None:
    Path("page.md").write_text("# Page\n\nOne.\n")
    with Runtime(home) as runtime:
        generation = ingest(["page.md"], "hr", runtime).generation
    listed = json.loads(CliRunner().invoke(app, ["collections", "--json"], catch_exceptions=False).stdout)
    assert listed == {"name": "hr", "embedder": "hash", "generation": generation, "documents": 1, "chunks": 1}
    assert "hr" in CliRunner().invoke(app, ["collections"], catch_exceptions=False).stdout


def test_a_collection_is_removed_with_all_it_has_and_no_other(home: Settings) -> None:
    Path("page.md").write_text("# Page\n\nOne.\n")
    Path("empty.md").touch()
    with Runtime(home) as runtime:
        for name in ("hr", "guide"):
            ingest(["page.md", "empty.md"], name, runtime)
    kept = CliRunner().invoke(app, ["collections", "remove", "hr"], input="n\n")
    assert (kept.exit_code, "1 document " in kept.stdout) == (1, True)
    with Runtime(home) as runtime:
        assert [there.name for there in runtime.corpus.collections()] == ["guide", "hr"]
    removed = CliRunner().invoke(app, ["collections", "remove", "hr", "--yes"], catch_exceptions=False)
    assert removed.stdout == "collection hr was removed, with 1 document\n"
    with Runtime(home) as runtime:
        assert [there.name for there in runtime.corpus.collections()] == ["guide"]
        assert runtime.corpus.count("hr") == (0, 0)
        assert not [*runtime.corpus.sources("hr"), *runtime.corpus.quarantined("hr"), *runtime.store.generations("hr")]
        assert runtime.corpus.count("guide") == (1, 1)
        assert runtime.retriever("guide").index.generation.chunks == 1
        assert ingest(["page.md"], "hr", runtime).added == 1
    assert "does not exist" in str(CliRunner().invoke(app, ["collections", "remove", "nope", "--yes"]).exception)


@pytest.mark.parametrize(
    ("wanted", "questions"),
    [((), {"asked", "measured", "lost"}), (("--channel", "evals"), {"measured"}), (("--outcome", "failed"), {"lost"})],
)
def test_traces_are_listed_by_channel_and_outcome(home: Settings, wanted: tuple[str, ...], questions: set[str]) -> None:
    assert set(get_args(ChannelName)) == set(Channel)
    assert set(get_args(OutcomeName)) == set(Outcome)
    with Runtime(home) as runtime:
        for question, channel, outcome in (
            ("asked", Channel.ASK, Outcome.ANSWERED),
            ("measured", Channel.EVALS, Outcome.ANSWERED),
            ("lost", Channel.CHAT, Outcome.FAILED),
        ):
            runtime.traces.submit(trace(question, channel=channel, outcome=outcome)).result()
    told = CliRunner().invoke(app, ["trace", "--since", "9999d", "--json", *wanted], catch_exceptions=False).stdout
    assert {json.loads(line)["question"] for line in told.splitlines()} == questions


def test_a_span_longer_than_time_is_all_of_it(home: Settings) -> None:
    with Runtime(home):
        pass
    assert CliRunner().invoke(app, ["trace", "--since", "99999999999d"], catch_exceptions=False).exit_code == 0


def test_brackets_are_text() -> None:
    from rich.console import Console

    failed = Attempt(purpose=Purpose.ANSWER, model="m", started_ms=0, total_ms=1, error="said [/INST] and [bold]")
    console = Console(record=True, width=200)
    console.print(trace_page(trace("why [/b]?", attempts=(failed,))), trace_list([trace("why [/b]?")]))
    shown = console.export_text()
    assert "said [/INST] and [bold]" in shown
    assert shown.count("why [/b]?") == 2


def test_a_trace_tells_what_was_withheld_and_why() -> None:
    from rich.console import Console

    claim = Claim(text="It is free.", start=0, end=11, verdict=Verdict.UNSUPPORTED, score=0.1, reason="nobody says so")
    console = Console(record=True, width=200)
    console.print(
        trace_page(trace("why?", draft="It is free.", withheld=(claim,))), trace_page(trace("why?", outcome=Outcome.ANSWERED))
    )
    withheld, unchecked = console.export_text().split("Question")[1:]
    assert "nobody says so" in withheld.partition("Withheld")[2]
    assert "Withheld" not in unchecked
    assert "Nothing in it could be checked." in unchecked


def test_a_listed_trace_fits_a_terminal_and_no_figure_of_it_is_cut() -> None:
    from rich.console import Console

    usage = Usage(prompt=18_753, completion=1_958)
    call = Attempt(
        purpose=Purpose.ANSWER, model="m", started_ms=0, total_ms=1, usage=usage, cost_nanodollars=243_512, estimated=True
    )
    left = trace("why is it so?\n" * 40, outcome=Outcome.DISCONNECTED, attempts=(call,), total_ms=111.1)
    console = Console(record=True, width=80)
    console.print(trace_list([left]))
    first, *question, figures = console.export_text().splitlines()
    assert first.split()[:2] == [left.id, "disconnected"]
    assert first.endswith(f"{left.created_at[:16].replace('T', ' ')} UTC")
    assert question[0].startswith("  why is it so? why is it so?")
    assert figures.strip() == f"{left.variant.name} · 18,753 + 1,958 tokens · about $0.000244 · 111 ms"
