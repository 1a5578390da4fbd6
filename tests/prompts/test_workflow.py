"""The workflow that compares prompts on a pull request: what it may do, and what its scripts do, run by a real shell."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "prompts.yml").read_text(encoding="utf-8"))
TRIGGERS: dict[str, Any] = WORKFLOW[True]
"""YAML 1.1 reads `on` as a truth value."""
COMPARE, COMMENT = WORKFLOW["jobs"]["compare"], WORKFLOW["jobs"]["comment"]
STEPS: list[dict[str, Any]] = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
SCRIPTS: list[str] = [step["run"] for step in STEPS if "run" in step]
MARKER = "<!-- groundwire: prompts -->"


def script(word: str) -> str:
    (found,) = [text for text in SCRIPTS if word in text]
    return found


def shell(folder: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """As a runner calls it."""
    variables = {"PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}", **environment}
    return subprocess.run(["bash", "-e", "-c", text], cwd=folder, env=variables, capture_output=True, text=True, check=False)


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{text}")
    path.chmod(0o755)


def test_it_runs_where_what_it_compares_may_change() -> None:
    assert list(TRIGGERS) == ["pull_request"]
    assert TRIGGERS["pull_request"]["paths"] == ["prompts/**"]
    assert (ROOT / "prompts").is_dir()


def test_what_runs_the_pull_requests_code_can_only_read() -> None:
    assert WORKFLOW["permissions"] == {}
    assert COMPARE["permissions"] == {"contents": "read"}
    assert COMMENT["permissions"] == {"pull-requests": "write"}
    assert "token" not in json.dumps(COMPARE).casefold()
    checkout = COMPARE["steps"][0]
    assert checkout["with"] == {"fetch-depth": 0, "persist-credentials": False}
    assert not any("checkout" in step.get("uses", "") for step in COMMENT["steps"])


def test_no_script_holds_an_expression() -> None:
    assert len(SCRIPTS) == 6
    assert not any("${{" in text for text in SCRIPTS)


def test_its_expressions_hold_nothing_that_the_author_of_a_pull_request_words() -> None:
    expressions = set(re.findall(r"\$\{\{ (.*?) \}\}", json.dumps(STEPS)))
    assert expressions == {
        "github.event.pull_request.number",
        "github.repository",
        "github.run_id",
        "github.server_url",
        "github.token",
        "steps.compare.outputs.code",
    }


def test_its_actions_are_githubs_own_and_pinned_by_their_major_version() -> None:
    for step in STEPS:
        assert "run" in step or re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])


def test_it_makes_checks_ingests_and_compares_in_this_order() -> None:
    commands = [text.strip() for text in SCRIPTS if text.startswith(("make", ".venv"))]
    assert commands == [
        "make .venv/default.stamp",
        ".venv/bin/prompts check",
        ".venv/bin/rag ingest data/corpus --collection guide",
    ]
    assert f"\n{commands[0].split()[1]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
    kinds = [step.get("uses") or step["run"].split()[0] for step in COMPARE["steps"]]
    assert kinds.index("actions/upload-artifact@v4") == len(kinds) - 2


@pytest.mark.parametrize(("code", "fails"), [(0, False), (1, True), (2, True), (3, False), (4, True)])
def test_it_fails_where_a_prompt_is_worse_or_nothing_can_be_said(tmp_path: Path, code: int, fails: bool) -> None:
    said = 'mkdir -p comparison; echo "$@" > comparison/comment.md; exit ' if code != 2 else "exit "
    executable(tmp_path / ".venv" / "bin" / "evals", f"{said}{code}")
    files = {"GITHUB_OUTPUT": str(tmp_path / "output"), "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    assert shell(tmp_path, script("evals run"), **files).returncode == 0
    name, _, value = (tmp_path / "output").read_text().strip().partition("=")
    assert (name, value) == ("code", str(code))
    assert bool(shell(tmp_path, script("case "), CODE=value).returncode) == fails
    if code != 2:
        assert (tmp_path / "summary").read_text().split()[:6] == [
            "run",
            "--base",
            "HEAD^1",
            "--cases",
            "data/cases/guide.jsonl",
            "--collection",
        ]


@pytest.mark.parametrize(
    ("earlier", "called"),
    [("", "--method POST comments"), ("41", "--method PATCH edit/41"), ("41\n42", "--method PATCH edit/41")],
)
def test_it_keeps_one_comment(tmp_path: Path, earlier: str, called: str) -> None:
    (tmp_path / "comment.md").write_text("**better** `$(touch taken)` 'é'\n", encoding="utf-8")
    listing = f'if [ "$2" = --paginate ]; then echo -n "$5" > jq; echo "{earlier}"; else echo "$*" > called; fi'
    executable(tmp_path / "bin" / "gh", listing)
    ran = shell(tmp_path, script("gh api"), COMMENTS="comments", EDIT="edit", REPORTS="https://example.org/runs/7#artifacts")
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "called").read_text().strip() == f"api {called} --field body=@body.md"
    body = f"{MARKER}\n[The reports in full](https://example.org/runs/7#artifacts)\n\n**better** `$(touch taken)` 'é'\n"
    assert (tmp_path / "body.md").read_text(encoding="utf-8") == body
    mine = f'.user.login == "github-actions[bot]" and (.body | startswith("{MARKER}"))'
    assert (tmp_path / "jq").read_text() == f".[] | select({mine}) | .id"
    assert not (tmp_path / "taken").exists()
