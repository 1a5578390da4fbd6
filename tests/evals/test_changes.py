"""Prompts that changed against a git ref, in real repositories."""

import subprocess
from pathlib import Path

import pytest

from evals.changes import Change, Status, changed
from prompts.errors import GroundwireError
from prompts.prompt import Prompt

ANSWER = """\
---
name: {name}
description: Answers.
metadata: {{owner: tests, purpose: To answer., changelog: First version.}}
inputs:
  question: {{kind: string, description: Asked., example: "Why?"}}
  passages: {{kind: array, description: Found., example: [{{text: "Because."}}]}}
  {third}: {{kind: string, description: A text., example: 0a}}
---
user:
{words} {{{{ question }}}} {{% for passage in passages %}}<{{{{ {third} }}}}>{{{{ passage.text }}}}{{% endfor %}}
"""


class Repository:
    """A git repository with a library in a folder of it."""

    def __init__(self, folder: Path, library: str = "our/prompts") -> None:
        self.folder = folder
        self.library = folder / library
        self.library.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.org", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def write(self, name: str, version: int, words: str = "Answer.", third: str = "fence") -> Path:
        path = self.library / name / f"v{version}.prompty"
        path.parent.mkdir(exist_ok=True)
        path.write_text(ANSWER.format(name=name, words=words, third=third))
        return path

    def label(self, **versions: int) -> None:
        lines = [f"{name} = {version}\n" for name, version in versions.items()]
        (self.library / "labels.toml").write_text("[production]\n" + "".join(lines))

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A change")

    def changes(self, base: str = "HEAD") -> list[tuple[str, Status, str | None]]:
        return [(change.name, change.status, change.base and change.base.reference) for change in changed(self.library, base)]

    def change(self, base: str = "HEAD") -> Change:
        (found,) = changed(self.library, base)
        return found


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """answer@1, answer@2 and answer@10, committed."""
    made = Repository(tmp_path / "repository")
    for version in (1, 2, 10):
        made.write("answer", version, f"Answer {version}.")
    made.commit()
    return made


def test_what_is_as_it_was_is_no_change(repository: Repository) -> None:
    assert repository.changes() == []
    path = repository.library / "answer" / "v2.prompty"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    (repository.library / "notes.md").write_text("Not a prompt.")
    (repository.library / "answer" / "draft.txt").write_text("Not a prompt.")
    assert repository.changes() == []


def test_an_edited_file_is_measured_against_its_own_text(repository: Repository) -> None:
    path = repository.write("answer", 2, "Answer well.")
    for base in ("HEAD", "main"):
        change = repository.change(base)
        assert (change.name, change.status, change.status.comparable) == ("answer@2", Status.EDITED, True)
        assert change.base is not None
        assert change.head is not None
        assert change.base.sections[0].template.startswith("Answer 2. ")
        assert change.base.path == Path(f"{base}:our/prompts/answer/v2.prompty")
        assert change.head == Prompt.read(path)
    repository.commit()
    assert repository.changes() == []
    assert repository.changes("HEAD~1") == [("answer@2", Status.EDITED, "answer@2")]


def test_the_base_needs_no_file_once_it_is_read(repository: Repository) -> None:
    repository.write("answer", 2, "Answer well.")
    base = repository.change().base
    assert base is not None
    repository.folder.rename(repository.folder.with_name("gone"))
    values = {"question": "Why?", "passages": [{"text": "Because."}], "fence": "0b"}
    assert base.render(**values) == [{"role": "user", "content": "Answer 2. Why? <0b>Because."}]
    with pytest.raises(GroundwireError, match=r"^HEAD:our/prompts/answer/v2.prompty:11: .* has no attribute 'text'"):
        base.render(**{**values, "passages": [{}]})


def test_a_new_version_is_measured_against_the_highest(repository: Repository) -> None:
    repository.write("answer", 11, "Answer well.")
    repository.write("answer", 12, "Answer best.")
    assert repository.changes() == [
        ("answer@11", Status.NEW_VERSION, "answer@10"),
        ("answer@12", Status.NEW_VERSION, "answer@10"),
    ]


def test_a_new_version_is_measured_against_production_where_there_is_one(repository: Repository) -> None:
    repository.label(answer=2)
    repository.commit()
    repository.write("answer", 11, "Answer well.")
    assert repository.changes() == [("answer@11", Status.NEW_VERSION, "answer@2")]
    repository.label(answer=11)
    assert repository.changes() == [("answer@11", Status.NEW_VERSION, "answer@2")]


def test_a_moved_label_is_a_change_of_what_is_served(repository: Repository) -> None:
    repository.label(answer=10)
    assert repository.changes() == []
    repository.commit()
    repository.label(answer=1)
    assert repository.changes() == [("answer@1", Status.PROMOTED, "answer@10")]
    assert repository.change().status.comparable


def test_a_first_version_has_nothing_to_be_measured_against(repository: Repository) -> None:
    repository.write("terse", 1)
    assert repository.changes() == [("terse@1", Status.FIRST, None)]
    assert not repository.change().status.comparable


def test_a_deleted_file_is_told(repository: Repository) -> None:
    (repository.library / "answer" / "v2.prompty").unlink()
    assert repository.changes() == [("answer@2", Status.DELETED, None)]


def test_a_prompt_that_the_pipeline_cannot_ask_is_told_and_not_compared(repository: Repository) -> None:
    repository.write("judge", 1, third="answer")
    repository.commit()
    repository.write("judge", 1, "Judge.", third="answer")
    assert repository.changes() == [("judge@1", Status.NOT_AN_ANSWER, "judge@1")]
    assert not repository.change().status.comparable


def test_a_prompt_that_answered_and_cannot_any_more_is_told_apart(repository: Repository) -> None:
    repository.write("answer", 11, third="mood")
    assert repository.changes() == [("answer@11", Status.UNANSWERABLE, "answer@10")]
    assert not repository.change().status.comparable


def test_a_prompt_that_can_be_asked_now_has_nothing_to_be_compared_with(repository: Repository) -> None:
    repository.write("answer", 11, third="mood")
    repository.commit()
    repository.write("answer", 12)
    assert repository.changes() == [("answer@12", Status.MENDED, "answer@11")]
    assert not repository.change().status.comparable


def test_the_library_may_be_the_whole_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "alone", library=".")
    repository.write("answer", 1)
    repository.commit()
    repository.write("answer", 1, "Answer well.")
    change = repository.change()
    assert change.base is not None
    assert (change.name, str(change.base.path)) == ("answer@1", "HEAD:./answer/v1.prompty")


def test_a_library_that_was_not_there_has_only_first_versions(repository: Repository) -> None:
    other = repository.folder / "other"
    repository.library.rename(other)
    assert {change.status for change in changed(other, "HEAD")} == {Status.FIRST}


def test_a_broken_draft_is_an_error_that_names_its_place(repository: Repository) -> None:
    path = repository.library / "answer" / "v2.prompty"
    right = path.read_text()
    path.write_text(right.replace("user:", "someone:"))
    with pytest.raises(GroundwireError, match=f"^{path}:10: text outside a message"):
        repository.changes()
    repository.commit()
    assert repository.changes() == []
    path.write_text(right)
    with pytest.raises(GroundwireError, match=r"^HEAD:our/prompts/answer/v2.prompty:10: text outside a message"):
        repository.changes()


@pytest.mark.parametrize("base", ["nope", "", "--all", "-h", "--output=taken", "HEAD:our", "HEAD~1", "HEAD; touch taken"])
def test_an_unknown_ref_is_an_error_and_never_an_option(repository: Repository, base: str) -> None:
    with pytest.raises(GroundwireError, match="git knows no commit") as error:
        repository.changes(base)
    assert "such as origin/main or HEAD~1" in error.value.mend
    assert not list(repository.folder.rglob("taken"))


def test_a_shallow_checkout_says_how_to_deepen_it(repository: Repository, tmp_path: Path) -> None:
    repository.commit()
    repository.git("clone", "--quiet", "--depth=1", f"file://{repository.folder}", str(tmp_path / "shallow"))
    with pytest.raises(GroundwireError, match="git fetch --unshallow, or fetch-depth: 0"):
        changed(tmp_path / "shallow" / "our" / "prompts", "HEAD~1")


def test_outside_of_a_repository_and_without_git_the_error_says_so(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(GroundwireError, match=f"{outside} is in no git repository .*GROUNDWIRE_PROMPTS"):
        changed(outside, "HEAD")
    monkeypatch.setenv("PATH", str(outside))
    with pytest.raises(GroundwireError, match="git is not installed"):
        changed(repository.library, "HEAD")


def test_it_works_in_a_git_hook(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    repository.write("answer", 2, "Answer well.")
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_WORK_TREE", ".")
    assert repository.changes() == [("answer@2", Status.EDITED, "answer@2")]


def test_a_tag_or_a_branch_with_a_slash_is_a_base(repository: Repository) -> None:
    repository.git("branch", "feature/one")
    repository.write("answer", 2, "Answer well.")
    repository.commit()
    change = repository.change("feature/one")
    assert change.base is not None
    assert str(change.base.path) == "feature/one:our/prompts/answer/v2.prompty"
