"""What the `rag` command does beyond handing on: pruning, filters, spans of time, and text with brackets."""

import json
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from rag.cli import ChannelName, OutcomeName, app
from rag.console import trace_page, trace_table
from rag.ingest.context import open_context
from rag.ingest.ingest import ingest
from rag.llms.base import Attempt, Purpose
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
    assert told == ["note: no document of default has modell: there are model, price\n", "", ""]


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
    console.print(trace_page(trace("why [/b]?", attempts=(failed,))), trace_table([trace("why [/b]?")]))
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
