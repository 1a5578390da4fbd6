"""The command as people type it: what it says, what it writes, and how it ends."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import pytest

import prompts
from evals.cases import Case, read, write
from evals.cli import app
from evals.comparison import Comparison, Verdict
from evals.execution.runs import Run
from evals.measurement import Measurement
from evals.stats.power import Plan
from rag.runtime import Runtime
from rag.settings import Settings
from tests.evals.execution.conftest import COST, VARIANTS, candidate, place
from tests.servers.provider import Call, Provider, Reply, failure

RIGHT, WRONG = "Kettles are covered for 24 months [1].", "Nobody knows."
EXTRACTIVE = ("--model", "local/extractive")
AB = ("--a", "answer@1", "--b", "answer@2")


class Told(NamedTuple):
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Told]


def cases(number: int = 20) -> list[Case]:
    """Ten topics, so that a few cases have each."""
    return [
        Case(
            id=f"case-{n}",
            question=f"How long is the warranty of kettle <{n}>?",
            references=("Kettles are covered for 24 months.",),
            tags={"topic": f"t{n % 10}"},
        )
        for n in range(number)
    ]


@pytest.fixture
def home(shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Provider) -> Path:
    """A home with the shop in it, and beside it an empty folder with `shop.jsonl`, which is the current one."""
    shutil.copytree(shop.home, tmp_path / "home")
    for folder in ("variants", "here"):
        (tmp_path / folder).mkdir()
    for name, text in VARIANTS.items():
        (tmp_path / "variants" / f"{name}.toml").write_text(text)
    monkeypatch.chdir(tmp_path / "here")
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    settings = {"HOME": str(tmp_path / "home"), "VARIANTS": str(tmp_path / "variants"), "EMBEDDER": shop.embedder}
    for name, value in {**{f"GROUNDWIRE_{name}": value for name, value in settings.items()}, **server.environment}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", "200")
    write(cases(), Path("shop.jsonl"))
    server.script()
    return tmp_path / "home"


@pytest.fixture
def evals(home: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs the command in this process, as its entry point does."""

    def ran(*arguments: str) -> Told:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            app(list(arguments), prog_name="evals")
        code = ended.value.code
        assert isinstance(code, int | None)
        return Told(code or 0, *capsys.readouterr())

    return ran


@pytest.fixture
def run(evals: Command) -> Command:
    return lambda *arguments: evals("run", "--cases", "shop.jsonl", *arguments)


def refused(told: Told, *words: str) -> None:
    """One line that says all this, exit code 2, and no traceback."""
    assert told.code == 2, told
    assert len(told.err.strip().splitlines()) == 1, told
    assert told.err.startswith("error: ")
    for word in words:
        assert word in told.err
    assert "Traceback" not in told.out


def answers(a: Callable[[int], str], b: Callable[[int], str]) -> Callable[[Call], Reply]:
    """What each side answers to the case of that number; B's prompt is the one with a stop sequence."""
    return lambda call: Reply(pieces=((b if candidate(call) else a)(place(call)),))


def written(out: Path) -> None:
    assert {path.name for path in out.iterdir()} == {"report.html", "report.md", "report.json", "junit.xml"}


def reported(out: Path) -> Comparison:
    written(out)
    return Comparison.model_validate_json((out / "report.json").read_text())


BETTER = answers(lambda _: WRONG, lambda _: RIGHT)
OUTCOMES = {
    Verdict.BETTER: BETTER,
    Verdict.WORSE: answers(lambda _: RIGHT, lambda _: WRONG),
    Verdict.EQUIVALENT: answers(lambda _: RIGHT, lambda _: RIGHT),
    Verdict.UNKNOWN: answers(lambda n: RIGHT if n % 2 else WRONG, lambda n: RIGHT if n % 3 else WRONG),
    Verdict.UNTRUSTWORTHY: lambda call: failure(400) if place(call) % 4 == 0 else Reply(),
}


@pytest.mark.parametrize("verdict", OUTCOMES)
def test_the_verdict_is_the_exit_code(verdict: Verdict, run: Command, server: Provider) -> None:
    server.play(OUTCOMES[verdict])
    told = run(*AB, "--out", "out", "--guardrail", "cost=10%", "--margin", "0.2")
    assert told.code == verdict.exit_code, told
    assert reported(Path("out")).verdict is verdict
    assert verdict.value in told.out.lower()
    assert "out/report.html" in told.out


def test_a_finished_comparison_is_told_again_without_a_call(run: Command, server: Provider) -> None:
    server.play(BETTER)
    first = run(*AB, "--out", "first", "--guardrail", "cost=10%", "--limit", "12")
    assert len(server.calls) == 24
    server.play(BETTER)
    again = run(*AB, "--out", "again", "--guardrail", "cost=10%", "--limit", "12")
    assert not server.calls
    assert first.code == again.code == 0
    one, two = reported(Path("first")), reported(Path("again"))
    assert one.effects == two.effects
    assert (one.spent_nanodollars, two.spent_nanodollars) == (24 * COST, 0)
    assert (one.a.cost_nanodollars, two.a.cost_nanodollars) == (12 * COST, 12 * COST)


def test_one_variant_alone_is_measured(run: Command, server: Provider) -> None:
    told = run("--limit", "3", "--repeats", "2", "--out", "out")
    assert told.code == 0
    assert len(server.calls) == 6
    assert "token F1" in told.out
    assert "out/report.html" in told.out
    written(Path("out"))
    found = Measurement.model_validate_json(Path("out/report.json").read_text())
    assert (found.asked, found.repeats, found.spent_nanodollars) == (3, 2, 6 * COST)
    assert "latency p50" in Path("out/junit.xml").read_text()
    again = run("--limit", "3", "--repeats", "2").out.split()[-1]
    assert Path(again).parent.name == found.run.run_id[:8]


def test_a_model_of_a_provider_is_asked_by_the_variant_for_such(
    evals: Command, run: Command, home: Path, server: Provider
) -> None:
    (home.parent / "variants" / "hosted.toml").write_text("[llm]\nmax_tokens = 800\n[retriever]\nabstain = false\n")
    server.script(Reply(pieces=(RIGHT,)))
    for arguments, name, most in (((), "hosted", 800), (("--variant", "default"), "default", 256)):
        told = run("--limit", "1", "--model", "openai/gpt-4.1", "--out", name, *arguments)
        assert told.code == 0
        assert ("note: openai/gpt-4.1 answers by the variant hosted;" in told.err) is (not arguments)
        found = Measurement.model_validate_json((Path(name) / "report.json").read_text()).run
        assert (found.name, found.variant.name, found.variant.llm.model) == (name, name, "openai/gpt-4.1")
        assert server.calls[-1].body["max_tokens"] == most
    planned = ("plan", "--cases", "shop.jsonl", *AB, "--model", "openai/gpt-4.1", "--json")
    (cheap, dear) = (
        Plan.model_validate_json(evals(*planned, "--variant", name).out).nanodollars for name in ("default", "hosted")
    )
    assert Plan.model_validate_json(evals(*planned).out).nanodollars == dear != cheap


def test_one_variant_that_mostly_fails_is_not_trusted(run: Command, server: Provider) -> None:
    server.play(OUTCOMES[Verdict.UNTRUSTWORTHY])
    told = run("--out", "out")
    assert told.code == 4
    assert "--retry-failed" in told.err
    assert 'errors="0"' not in Path("out/junit.xml").read_text()
    assert "is not trustworthy" in Path("out/report.md").read_text()


def test_a_budget_that_is_used_up_is_told(run: Command, server: Provider) -> None:
    told = run("--max-cost", "0.001")
    assert told.code == 2
    assert "the next answer might cost more than what is left of $0.001" in told.err
    assert "the same command goes on from here" in told.err
    assert 0 < len(server.calls) * COST <= 1_000_000
    assert run().code == 0
    assert len(server.calls) == 20


def test_a_model_without_a_price_has_no_budget(run: Command, server: Provider) -> None:
    refused(run("--max-cost", "1", "--model", "openai/nobody-knows"), "the price of openai/nobody-knows", "--max-cost")
    assert not server.calls


def test_stopping_early_saves_calls(run: Command, server: Provider) -> None:
    write(cases(80), Path("shop.jsonl"))
    server.play(BETTER)
    told = run(*AB, "--early-stop", "--out", "out", "--guardrail", "cost=10%", "--concurrency", "4")
    found = reported(Path("out"))
    assert found.early is not None
    assert found.early.stopped
    assert found.early.saved_calls == 160 - len(server.calls) > 60
    assert (told.code, found.verdict) == (0, Verdict.BETTER)


def test_it_goes_on_until_the_guardrails_are_known_too(run: Command, server: Provider) -> None:
    """No difference in 32 cases leaves one of .14 possible; in 64, of .07."""
    write(cases(80), Path("shop.jsonl"))
    server.play(answers(lambda _: "Kettles are covered [1].", lambda _: RIGHT))
    told = run(*AB, "--early-stop", "--out", "out", "--guardrail", "hallucination=0.1", "--concurrency", "4")
    found = reported(Path("out"))
    assert found.early is not None
    assert (told.code, found.verdict, found.early.asked, found.early.stopped) == (0, Verdict.BETTER, 64, True)
    assert "Guardrails may be looked at 3 times" in Path("out/report.html").read_text()
    assert not [problem for problem in found.problems if "looked" in problem]


def test_failures_are_asked_again_where_that_is_wanted(run: Command, server: Provider) -> None:
    server.play(OUTCOMES[Verdict.UNTRUSTWORTHY])
    assert run(*AB).code == 4
    server.play(BETTER)
    assert run(*AB).code == 4
    assert not server.calls
    assert run(*AB, "--retry-failed").code != 4
    assert {place(call) for call in server.calls} == {0, 4, 8, 12, 16}


def test_a_judge_grades_and_prefers(run: Command, server: Provider) -> None:
    def judged(call: Call) -> Reply:
        if "verdict" in call.text:
            return Reply(pieces=(json.dumps({"reason": "So it is.", "verdict": "correct" if RIGHT in call.text else "wrong"}),))
        if "winner" in call.text:
            return Reply(pieces=(json.dumps({"reason": "It is.", "winner": "tie"}),))
        return BETTER(call)

    server.play(judged)
    people = [{"id": f"case-{n}", "label": "correct", "variant": "answer@2"} for n in range(20)]
    Path("labels.jsonl").write_text("".join(json.dumps(label) + "\n" for label in people))
    judge = ("--judge", "openai/gpt-4.1", "--labels", "labels.jsonl", "--guardrail", "cost=10%")
    told = run(*AB, *judge, "--out", "out", "--limit", "12")
    found = reported(Path("out"))
    assert told.code == 0, told
    assert found.design.primary == ("correct",)
    assert found.judge is not None
    assert found.judge_nanodollars
    assert found.agreement is not None
    assert found.agreement.share == 1
    made = sum(call.body["model"] == "gpt-4.1" for call in server.calls)
    assert found.judge_nanodollars == made * (100 * 2000 + 7 * 8000)
    assert found.spent_nanodollars == 24 * COST + found.judge_nanodollars
    assert any(effect.metric.name == "preferred" for effect in found.effects)
    server.play(judged)
    assert run(*AB, *judge, "--out", "out", "--limit", "12").code == 0
    assert not server.calls


def test_a_prompt_that_differs_from_a_commit_is_compared_with_it(
    run: Command, server: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def git(*arguments: str) -> None:
        command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
        subprocess.run(command, cwd=tmp_path / "library", check=True, capture_output=True)

    library = tmp_path / "library"
    for name in ("answer", "judge"):
        shutil.copytree(Path(prompts.__file__).parent / name, library / name)
    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Before")
    monkeypatch.setenv("GROUNDWIRE_PROMPTS", str(library))
    told = run("--base", "HEAD", "--out", "nothing")
    assert (told.code, server.calls) == (0, [])
    assert "no prompt that answers differs from HEAD" in told.out

    newest = library / "answer" / "v2.prompty"
    newest.write_text(newest.read_text().replace("Answer in short sentences", "Answer in SHORT sentences"))
    (library / "judge" / "v1.prompty").unlink()
    server.play(lambda call: Reply(pieces=(RIGHT if "SHORT" in call.text else WRONG,)))
    told = run("--base", "HEAD", "--out", "out", "--guardrail", "cost=10%")
    assert told.code == 0, told
    assert "judge@1: deleted" in told.out
    assert len(server.calls) == 40
    assert reported(Path("out/answer@2")).verdict is Verdict.BETTER
    comment = Path("out/comment.md").read_text()
    assert "answer@2" in comment
    assert "judge@1: deleted" in comment
    refused(run("--base", "nowhere"), "nowhere")

    server.play(lambda _: Reply())
    for version in (3, 4):
        (library / "answer" / f"v{version}.prompty").write_text(newest.read_text().replace("SHORT", f"VERY SHORT {version}"))
    told = run("--base", "HEAD", "--out", "budget", "--max-cost", "0.0015")
    assert 750_000 < len(server.calls) * COST <= 1_500_000
    assert "might cost more than what is left of $0.0015" in told.out

    (library / "answer" / "v4.prompty").unlink()
    spoilt = newest.read_text().replace("inputs:\n", "inputs:\n  tone: {kind: string, description: How., example: kind}\n")
    (library / "answer" / "v3.prompty").write_text(spoilt.replace("Answer in", "Be {{ tone }}. Answer in"))
    told = run("--base", "HEAD", "--out", "spoilt", "--guardrail", "cost=10%")
    assert told.code == 4, told
    assert "answer@3: cannot be asked: a prompt that answers has the inputs question, passages and fence" in told.out
    comment = Path("spoilt/comment.md").read_text()
    assert comment.startswith("- **Problem:** answer@3: cannot be asked")
    assert comment.index("judge@1: deleted") > comment.index("answer@2 is")


def test_what_a_comparison_takes_is_said_before_and_by_earlier_runs_after(evals: Command, server: Provider) -> None:
    server.play(OUTCOMES[Verdict.UNKNOWN])
    asked = ("--cases", "shop.jsonl", *AB)
    before = Plan.model_validate_json(evals("plan", *asked, "--json").out)
    assert not server.calls
    assert (before.cases, before.calls, before.timed) == (20, 40, False)
    assert before.nanodollars is not None
    low, high = before.nanodollars
    assert 0 < low < high
    assert high - low == pytest.approx(40 * 256 * 1600)
    assert "2 s to 50 s (assumed: none was timed yet)" in evals("plan", *asked).out

    assert evals("run", *asked, "--guardrail", "cost=10%").code == 3
    calls = len(server.calls)
    after = Plan.model_validate_json(evals("plan", *asked, "--json").out)
    assert len(server.calls) == calls
    assert after.nanodollars == (40 * COST, 40 * COST)
    assert after.seconds is not None
    assert after.metrics[0].assumption is not None
    assert after.metrics[0].assumption.source == "measured on 20 cases of answer@1 and answer@2"


def test_stored_runs_are_listed_compared_and_scored_again(evals: Command, run: Command, server: Provider) -> None:
    server.play(BETTER)
    first = run(*AB, "--out", "first", "--guardrail", "cost=10%")
    a, b = reported(Path("first")).a.run_id, reported(Path("first")).b.run_id
    listed = [Run.model_validate_json(line) for line in evals("runs", "--json").out.splitlines()]
    assert {one.id for one in listed} == {a, b}
    assert all(id in evals("runs").out for id in (a, b))
    assert len(evals("runs", "--limit", "1", "--json").out.splitlines()) == 1
    calls = len(server.calls)
    again = evals("compare", a[:10], b, "--out", "again", "--guardrail", "cost=10%")
    assert again.code == first.code == 0
    assert reported(Path("again")).effects == reported(Path("first")).effects
    assert evals("compare", b, a, "--guardrail", "cost=10%").code == 1
    scored = evals("score", b)
    assert scored.code == 0
    assert f"20 answers of {b} scored" in scored.out
    assert evals("compare", a, b, "--out", "scored", "--guardrail", "cost=10%").code == 0
    assert reported(Path("scored")).effects == reported(Path("first")).effects
    assert len(server.calls) == calls
    refused(evals("score", "nothing"), "no run has the id nothing", "evals runs")
    refused(evals("compare", a, "nothing"), "no run has the id nothing")


def test_cases_come_from_other_files_and_from_traces(evals: Command, run: Command) -> None:
    Path("cases.csv").write_text("question,answer\nHow long is it?,A year\nWho pays?,The shop\n")
    assert evals("convert", "cases.csv", "--to", "made.jsonl").code == 0
    assert [case.question for case in read(Path("made.jsonl"))] == ["How long is it?", "Who pays?"]
    assert run(*EXTRACTIVE, "--limit", "1").code == 0
    with Runtime(Settings()) as runtime:
        [trace] = runtime.traces.latest(1)
    told = evals("promote", trace.id, "--to", "made.jsonl")
    assert (told.code, read(Path("made.jsonl"))[2].question) == (0, trace.question)
    refused(evals("promote", trace.id, "--to", "made.jsonl"), "made.jsonl")
    assert run(*EXTRACTIVE, "--limit", "1", "--fresh").code == 0
    with Runtime(Settings()) as runtime:
        newest, oldest = runtime.traces.latest(2)
    assert newest.question == oldest.question
    told = evals("promote", newest.id, oldest.id, "--to", "twice.jsonl")
    assert [case.id for case in read(Path("twice.jsonl"))] == [f"trace-{newest.id}"]
    assert f"trace-{oldest.id} is left out" in told.err
    refused(evals("convert", "nowhere.csv", "--to", "made.jsonl"), "nowhere.csv")
    refused(evals("convert", "cases.csv", "--to", "made.jsonl"), "all 2 cases are in made.jsonl already", "nothing was added")
    Path("cases.csv").write_text("question,answer\nWho came?,Nobody\n")
    assert "1 case added to made.jsonl" in evals("convert", "cases.csv", "--to", "made.jsonl").out


def test_the_documents_beside_the_cases_are_ingested_when_they_have_to_be(evals: Command) -> None:
    Path("pages").mkdir()
    Path("pages/toasters.md").write_text("# Toasters\n\nToasters are covered for 12 months.\n")
    write(
        [Case(id="1", question="How long are toasters covered?", references=("12 months.",), gold_ids=("pages/toasters.md",))],
        Path("toasters.jsonl"),
    )
    told = evals("run", "--cases", "toasters.jsonl", *EXTRACTIVE)
    assert told.code == 0, told
    assert "collection toasters is not there yet: ingesting pages" in told.err
    with Runtime(Settings()) as runtime:
        assert list(runtime.corpus.documents("toasters")) == ["pages/toasters.md"]


BAD = {
    "one side only": (("--a", "answer@1"), ("--a", "--b")),
    "the other side only": (("--b", "answer@1"), ("--a", "--b")),
    "sides and a base": ((*AB, "--base", "HEAD"), ("--base", "--a and --b")),
    "a prompt that is not there": (("--a", "answer@1", "--b", "answr@2"), ("no prompt answr", "did you mean answer?")),
    "a version that is not there": (("--a", "answer@1", "--b", "answer@99"), ("answer@99",)),
    "a variant that is not there": (("--variant", "bold"), ("bold", "default")),
    "the same twice": (("--a", "answer@2", "--b", "answer"), ("the same", "name two that differ")),
    "a metric that is not there": ((*AB, "--primary", "beauty"), ("there is no metric beauty", "f1")),
    "a metric almost of that name": ((*AB, "--primary", "F1"), ("there is no metric F1", "did you mean f1?")),
    "a guardrail almost of that name": ((*AB, "--guardrail", "halucination=0.05"), ("did you mean hallucination?",)),
    "a prompt that does not answer": (("--a", "answer@1", "--b", "judge@1"), ("judge@1 does not answer questions",)),
    "a guardrail without a margin": ((*AB, "--guardrail", "cost"), ("--guardrail cost", "cost=10%")),
    "a guardrail that is no number": ((*AB, "--guardrail", "cost=much"), ("--guardrail cost=much",)),
    "a guardrail that is NaN": ((*AB, "--guardrail", "cost=nan%"), ("--guardrail cost=nan%",)),
    "a guardrail below zero": ((*AB, "--guardrail", "cost=-1%"), ("--guardrail cost=-1%",)),
    "a guardrail on a metric that is not there": ((*AB, "--guardrail", "beauty=1"), ("there is no metric beauty",)),
    "a collection that is not there": (("--collection", "nothing"), ("collection nothing", "rag ingest")),
    "a judge's metric without one": ((*AB, "--primary", "correct"), ("correct", "--judge")),
    "a judge that is not there": ((*AB, "--judge", "nonsense"), ("nonsense",)),
    "a model that is not there": (("--model", "nonsense"), ("nonsense",)),
    "a margin without end": ((*AB, "--margin", "inf"), ("--margin inf",)),
    "a budget without end": (("--max-cost", "inf"), ("--max-cost inf",)),
    "labels that are not there": ((*AB, "--judge", "openai/gpt-4.1", "--labels", "nowhere.jsonl"), ("nowhere.jsonl",)),
    "labels without a judge": (("--labels", "shop.jsonl"), ("--labels", "--judge")),
    "a guardrail with one variant": (("--guardrail", "cost=10%"), ("--guardrail", "--a and --b")),
    "stopping early with one variant": (("--early-stop",), ("--early-stop", "--a and --b")),
    "stopping early by a metric without bounds": ((*AB, "--early-stop", "--primary", "latency"), ("latency", "no bounds")),
    "stopping early with clusters": ((*AB, "--early-stop", "--cluster-by", "topic"), ("--cluster-by",)),
    "stopping early without a margin": ((*AB, "--early-stop", "--margin", "0"), ("--margin",)),
    "a tag that no case has": ((*AB, "--cluster-by", "mood", "--limit", "2", *EXTRACTIVE), ("mood", "topic")),
}


@pytest.mark.parametrize(("arguments", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_done_is_refused_in_one_line(
    arguments: Sequence[str], words: Sequence[str], run: Command, server: Provider
) -> None:
    refused(run(*arguments), *words)
    assert not server.calls


def test_the_exit_code_stays_the_answer_where_nobody_reads_it(run: Command) -> None:
    asked = ("--cases", "shop.jsonl", *AB, *EXTRACTIVE)
    assert run(*AB, *EXTRACTIVE).code == 3
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", "from evals.cli import app; app()", "run", *asked],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (3, b"")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--limit", "0"),
        ("--repeats", "0"),
        ("--concurrency", "0"),
        ("--margin", "nan"),
        ("--max-cost", "nan"),
        ("--max-cost", "-1"),
    ],
    ids=str,
)
def test_an_option_out_of_bounds_is_refused(arguments: Sequence[str], run: Command, server: Provider) -> None:
    told = run(*arguments)
    assert told.code == 2
    assert arguments[0] in told.err
    assert not server.calls


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ("shop.jsonl cannot be read",)),
        ("", ("shop.jsonl has no cases",)),
        ('{"id": "1", "question": "Why?"}\n{"id": "1", "question": "How?"}\n', ("shop.jsonl:2", "id")),
        ('{"id": "1"}\n', ("shop.jsonl:1", "question")),
        ("not json\n", ("shop.jsonl:1", "not JSON")),
    ],
    ids=["not there", "empty", "an id twice", "no question", "no JSON"],
)
def test_a_bad_file_of_cases_is_refused_in_one_line(content: str | None, words: Sequence[str], run: Command) -> None:
    Path("shop.jsonl").unlink()
    if content is not None:
        Path("shop.jsonl").write_text(content)
    refused(run(*AB), *words)


def test_no_references_where_they_decide_is_not_trustworthy(run: Command, server: Provider) -> None:
    write((case.model_copy(update={"references": ()}) for case in cases(5)), Path("shop.jsonl"))
    told = run(*AB)
    assert told.code == 4, told
    assert "token F1" in told.out


def test_when_nothing_is_answered_it_is_not_trustworthy(run: Command, server: Provider) -> None:
    server.script(failure(400, "no"))
    told = run(*AB, "--limit", "5")
    assert told.code == 4, told
    assert "not answered" in told.out
    assert "change what the provider objects to (5 of them)" in " ".join(told.out.split())


def test_a_key_that_is_missing_is_told_before_the_first_case(
    evals: Command, run: Command, server: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--limit", "5").code == 0
    before = evals("runs", "--json").out
    monkeypatch.delenv("OPENAI_API_KEY")
    refused(run(*AB, "--limit", "6"), "openai/gpt-4.1-mini needs a key", "set OPENAI_API_KEY")
    assert evals("runs", "--json").out == before
    assert run("--limit", "5").code == 0, "what is answered needs no key"
    assert evals("plan", "--cases", "shop.jsonl", *AB, "--limit", "6").code == 0


NOBODY = """
import contextlib, os, sys
from evals.cli import app
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):
    app(["runs"])
if os.geteuid() == 0:
    os.setuid(65534)
os.environ["GROUNDWIRE_HOME"] = sys.argv[1]
app(["run", "--cases", "shop.jsonl"])
"""


def test_a_folder_that_cannot_be_written_is_told_and_nothing_is_lost(run: Command, server: Provider) -> None:
    Path("taken").write_text("a file")
    server.play(BETTER)
    refused(run(*AB, "--out", "taken"), "taken", "cannot be written", "--out")
    calls = len(server.calls)
    assert run(*AB, "--out", "free", "--guardrail", "cost=10%").code == 0
    assert len(server.calls) == calls == 40


def test_a_home_that_cannot_be_written_is_told(home: Path) -> None:
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        command = [sys.executable, "-c", NOBODY, f"{folder}/home"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    refused(Told(done.returncode, done.stdout, done.stderr), "cannot be made", "GROUNDWIRE_HOME")
