"""The `prompts` command, as people call it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from prompts.cli import app
from prompts.command import INTERNAL_ERROR, Command

Writer = Callable[..., Path]


class Outcome(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """Runs the command on the library of the test."""
    monkeypatch.setenv("GROUNDWIRE_PROMPTS", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")

    def ran(*arguments: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            app(list(arguments), prog_name="prompts")
        code = ended.value.code
        assert isinstance(code, int | None)
        return Outcome(code or 0, *capsys.readouterr())

    return ran


def test_lists_every_version(write: Writer, run: Callable[..., Outcome]) -> None:
    write()
    write(version=2)
    run("release", "greeting@1")
    lines = run("list").out.splitlines()
    assert [line.split()[0] for line in lines] == ["reference", "greeting@1", "greeting@2"]
    assert [line.split()[2] for line in lines] == ["released", "yes", "no"]
    run("label", "live", "greeting@1")
    run("label", "canary", "greeting@1")
    assert "canary, live" in run("list").out.splitlines()[1]


def test_shows_identity_and_text(write: Writer, run: Callable[..., Outcome]) -> None:
    path = write()
    shown = run("show", "greeting").out
    assert shown.startswith("greeting@1  sha256 ")
    assert shown.endswith(path.read_text())


def test_renders_examples_and_given_values(write: Writer, run: Callable[..., Outcome]) -> None:
    write()
    assert run("render", "greeting", "--sample", "--set", "person=Bob [b] = {{ x }}").out.endswith("Greet Bob [b] = {{ x }}.\n")
    passages = json.dumps([{"title": "Two", "text": "Second é."}])
    given = ("--set", "person=Bob", "--set", f"passages={passages}", "--set", "fence=00")
    messages = json.loads(run("render", "greeting", "--json", *given).out)
    assert [message["role"] for message in messages] == ["system", "user"]
    assert messages[1]["content"].startswith('<quote-00 title="Two">\nSecond é.\n')


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--set", "person=Bob"), "got no value for its input"),
        (("--sample", "--set", "mood=good"), "has no input `mood`"),
        (("--sample", "--set", "person"), "--set person has no value"),
        (("--sample", "--set", "passages=[1"), "--set passages is not JSON"),
    ],
)
def test_a_value_that_does_not_fit_is_one_line(
    write: Writer, run: Callable[..., Outcome], arguments: tuple[str, ...], told: str
) -> None:
    write()
    outcome = run("render", "greeting", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert told in outcome.err
    assert outcome.err.count("\n") == 1


def test_new_never_overwrites(write: Writer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    before = write().read_bytes()
    assert run("new", "greeting").out == f"{tmp_path / 'greeting' / 'v2.prompty'}\n"
    assert run("new", "farewell").out == f"{tmp_path / 'farewell' / 'v1.prompty'}\n"
    assert (tmp_path / "greeting" / "v1.prompty").read_bytes() == before
    assert "say what changed" in run("check", str(tmp_path / "greeting" / "v2.prompty")).out


def test_new_says_where_a_name_is_new_and_nearly_another(write: Writer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    write()
    made = tmp_path / "greetings" / "v1.prompty"
    assert run("new", "greetings") == Outcome(
        0, f"{made}\n", f"note: greetings is a new prompt; if you meant greeting, remove {made}\n"
    )
    assert run("new", "greetings").err == ""


def test_check_tells_every_fault_with_its_place(write: Writer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    right = write()
    unused = write(("Greet {{ person }}.", "Greet."), version=2)
    broken = write(("name: greeting", "name: ["), version=3)
    run("release", "greeting@1")
    outcome = run("check")
    assert outcome.code == 1
    assert [line.split(": ")[0].rpartition(":")[0] for line in outcome.out.splitlines()] == [str(unused), str(broken)]
    assert run("check", str(right)) == Outcome(0, "1 prompt file, nothing wrong\n", "")
    assert run("check", str(unused)).code == 1
    right.write_text(right.read_text() + "\nMore.")
    assert "greeting@1 is released, and its text has changed" in run("check", str(right)).out
    right.unlink()
    assert f"{tmp_path / 'released.lock'}:1: greeting@1 is released, and its file is gone" in run("check").out


def test_check_finds_labels_of_what_is_not_there(write: Writer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    write()
    (tmp_path / "labels.toml").write_text("[production]\ngreeting = 2\n")
    outcome = run("check")
    assert outcome.code == 1
    assert outcome.out.startswith(f"{tmp_path / 'labels.toml'}:2: production is greeting@2, which does not exist: ")


def test_labels_are_given_and_shown(write: Writer, run: Callable[..., Outcome]) -> None:
    write()
    assert run("label") == Outcome(0, "", "")
    refused = run("label", "production", "greeting@1")
    assert (refused.code, refused.out) == (2, "")
    assert refused.err.endswith("prompts release greeting@1\n")
    run("release", "greeting@1")
    assert run("label", "production", "greeting@1").out == "production: greeting@1; commit labels.toml\n"
    assert run("label", "production", "greeting@1").out == "production: greeting@1 → greeting@1; commit labels.toml\n"
    run("label", "canary", "greeting")
    assert run("label").out == "canary greeting@1\nproduction greeting@1\n"
    assert run("label", "production").out == "production greeting@1\n"
    unknown = run("label", "prodution")
    assert unknown.code == 2
    assert "there is canary, production" in unknown.err
    assert run("show", "greeting@production").out.startswith("greeting@1  sha256 ")


def test_diff_tells_what_a_model_gets_otherwise(write: Writer, run: Callable[..., Outcome]) -> None:
    write()
    other = write(
        ("Greet {{ person }}.", "Greet {{ person }} warmly, in {{ mood }} words."),
        ("changelog: First version.", "changelog: Warmer."),
        (
            "inputs:",
            "model: {options: {stopSequences: ['Bye']}}\ninputs:\n  mood: {kind: string, description: How., example: kind}",
        ),
        version=2,
    )
    shown = run("diff", "greeting@1", "greeting@2")
    lines = shown.out.splitlines()
    assert (shown.code, shown.err) == (0, "")
    assert lines[0].startswith("--- greeting@1  ")
    assert lines[1].startswith("+++ greeting@2  ")
    assert lines[1].endswith("  Warmer.")
    changed = [line for line in lines[2:] if line.startswith(("-", "+"))]
    assert changed == [
        "-Greet {{ person }}.",
        "+Greet {{ person }} warmly, in {{ mood }} words.",
        "+input mood, string",
        '+stop "Bye"',
    ]
    words, tokens = lines[-3:-1]
    assert words.split() == ["words", "14", "18", "+4", "(+29%)"]
    assert tokens.split()[0] == "tokens"
    assert lines[-1] == "Each with the examples of its own file, which differ."
    assert run("diff", "greeting@1", str(other)) == shown
    assert "\x1b" not in shown.out


def test_diff_marks_the_words_in_a_terminal(write: Writer, run: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    write()
    write(("Greet {{ person }}.", "Greet {{ person }} warmly."), version=2)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert (
        "\x1b[32mGreet {{ person }}\x1b[0m\x1b[1;7;32m warmly\x1b[0m\x1b[32m.\x1b[0m"
        in run("diff", "greeting@1", "greeting@2").out
    )


def test_diff_of_texts_that_a_model_gets_alike(write: Writer, run: Callable[..., Outcome]) -> None:
    write()
    write(("owner: tests", "owner: others"), version=2)
    out = run("diff", "greeting@1", "greeting").out
    assert "A model gets the same from both." in out
    assert "+0 (+0%)" in out


@pytest.mark.parametrize(("side", "told"), [("greeting@9", "there is no prompt greeting@9"), ("none/v1.prompty", "No such file")])
def test_diff_of_what_is_not_there_is_one_line(write: Writer, run: Callable[..., Outcome], side: str, told: str) -> None:
    write()
    outcome = run("diff", "greeting@1", side)
    assert (outcome.code, outcome.out) == (2, "")
    assert told in outcome.err


def test_an_unknown_prompt_is_one_line_and_exit_code_2(run: Callable[..., Outcome]) -> None:
    outcome = run("show", "greeting@9")
    assert outcome.code == 2
    assert outcome.err.startswith("error: there is no prompt greeting")


def test_the_library_is_an_option_too(write: Writer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    write()
    (tmp_path / "empty").mkdir()
    assert "greeting@1" in run("--library", str(tmp_path), "list").out
    assert "greeting@1" not in run("--library", str(tmp_path / "empty"), "list").out


def test_importing_the_library_imports_nothing_heavy() -> None:
    heavy = "{'torch', 'litellm', 'typer', 'rich', 'jinja2', 'yaml', 'pydantic'}"
    script = f"import sys, prompts; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert ran.stdout == "[]\n"


def test_a_fault_of_ours_ends_with_a_code_that_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    broken = Command()

    @broken.command()
    def divide() -> None:
        raise ZeroDivisionError("on purpose")

    with pytest.raises(SystemExit) as ended:
        broken([])
    assert ended.value.code == INTERNAL_ERROR == 70
    assert "ZeroDivisionError: on purpose" in capsys.readouterr().err


def test_an_empty_library_is_said_to_be_empty(run: Callable[..., Outcome], tmp_path: Path) -> None:
    assert run("list") == Outcome(0, f"no prompts in {tmp_path} yet: prompts new NAME writes a first one\n", "")
