"""The `prompts` command, as people call it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from prompts.cli import app

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
    assert "person, passages, fence" in lines[1]


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
    assert run("check").out == "3 prompt files, nothing wrong\n"


def test_check_tells_every_fault_with_its_place(write: Writer, run: Callable[..., Outcome], tmp_path: Path) -> None:
    right = write()
    unused = write(("Greet {{ person }}.", "Greet."), version=2)
    broken = write(("name: greeting", "name: ["), version=3)
    run("release", "greeting@1")
    outcome = run("check")
    assert outcome.code == 1
    assert [line.split(": ")[0].rpartition(":")[0] for line in outcome.out.splitlines()] == [str(unused), str(broken)]
    assert run("check", str(right)) == Outcome(0, "1 prompt files, nothing wrong\n", "")
    assert run("check", str(unused)).code == 1
    right.write_text(right.read_text() + "\nMore.")
    assert "greeting@1 is released, and its text has changed" in run("check", str(right)).out
    right.unlink()
    assert f"{tmp_path / 'released.lock'}:1: greeting@1 is released, and its file is gone" in run("check").out


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
