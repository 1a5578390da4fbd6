"""Paths, folders and globs as files with stable names."""

import pytest

from rag.errors import GroundwireError
from rag.ingest.sources import covers, discover

from .conftest import Workplace

NAMES = ["a.md", "docs/b.md", "docs/sub/c.txt", "docs/.hidden.md", "docs/.git/config", "docs/venv/x.py", "docs/node_modules/y.md"]


@pytest.fixture
def tree(workplace: Workplace) -> Workplace:
    for name in NAMES:
        workplace.write(name, "Text.")
    return workplace


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        (["."], ["a.md", "docs/b.md", "docs/sub/c.txt"]),
        (["docs"], ["docs/b.md", "docs/sub/c.txt"]),
        (["docs/", "./docs/b.md"], ["docs/b.md", "docs/sub/c.txt"]),
        (["docs/*.md"], ["docs/b.md"]),
        (["**/*.md"], ["a.md", "docs/b.md", "docs/node_modules/y.md"]),
        (["docs/.hidden.md"], ["docs/.hidden.md"]),
    ],
)
def test_paths_are_found(tree: Workplace, paths: list[str], found: list[str]) -> None:
    assert [file.source for file in discover(paths)] == found


def test_a_file_with_glob_characters_in_its_name_is_itself(workplace: Workplace) -> None:
    workplace.write("a[1].md", "Text.")
    assert [file.source for file in discover(["a[1].md"])] == ["a[1].md"]


def test_names_do_not_depend_on_how_a_path_is_written(tree: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    absolute = str(tree.folder / "docs")
    assert discover([absolute])[0].source == "docs/b.md"
    monkeypatch.chdir(tree.folder / "docs/sub")
    assert discover([absolute])[0].source == "../b.md"


@pytest.mark.parametrize(("path", "problem"), [("gone.md", "gone.md does not exist"), ("*.pdf", r"\*.pdf matches no file")])
def test_a_path_where_nothing_is(tree: Workplace, path: str, problem: str) -> None:
    with pytest.raises(GroundwireError, match=problem):
        discover([path])


def test_an_empty_folder_is_no_error(workplace: Workplace) -> None:
    (workplace.folder / "empty").mkdir()
    assert discover(["empty"]) == []


def test_a_known_path_may_be_gone(workplace: Workplace) -> None:
    assert discover(["gone"], known=["gone/a.md"]) == []


@pytest.mark.parametrize(
    ("path", "source", "answer"),
    [
        ("docs", "docs/a.md", True),
        ("./docs/", "docs/a.md", True),
        ("docs", "docs2/a.md", False),
        (".", "docs/a.md", True),
        (".", "../a.md", False),
        ("..", "../a.md", True),
        ("docs/*.md", "docs/a.md", True),
        ("a.md", "a.md", True),
        ("a.md", "b.md", False),
    ],
)
def test_what_a_path_covers(workplace: Workplace, path: str, source: str, answer: bool) -> None:
    assert covers(path, source) is answer
