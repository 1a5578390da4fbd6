"""The folder of prompts: references, drafts, releases."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from prompts.errors import GroundwireError
from prompts.library import Library

Writer = Callable[..., Path]


@pytest.fixture
def library(write: Writer, tmp_path: Path) -> Library:
    """greeting@1, greeting@2 and greeting@10."""
    for version in (1, 2, 10):
        write(("Greets.", f"Greets, take {version}."), version=version)
    return Library(tmp_path)


def test_a_name_is_its_highest_version(library: Library) -> None:
    assert library.get("greeting").reference == "greeting@10"
    assert library.get("greeting@2").description == "Greets, take 2."
    assert (library.names(), library.versions("greeting"), library.versions("farewell")) == (["greeting"], [1, 2, 10], [])


@pytest.mark.parametrize(
    ("reference", "told"),
    [
        ("greeting@3", "there is greeting@1, greeting@2, greeting@10"),
        ("greting", "did you mean greeting?"),
        ("nothing-like-it", "there is greeting"),
        ("greeting@latest", "is not a prompt reference"),
        ("greeting@0", "is not a prompt reference"),
        ("../greeting@1", "is not a prompt reference"),
        ("", "is not a prompt reference"),
    ],
)
def test_an_unknown_reference_tells_what_there_is(library: Library, reference: str, told: str) -> None:
    with pytest.raises(GroundwireError, match=re.escape(told)):
        library.get(reference)


def test_a_library_has_to_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(GroundwireError, match="is not a folder"):
        Library(tmp_path / "missing")


def test_a_draft_is_a_copy_of_the_highest_version(library: Library) -> None:
    path = library.draft("greeting")
    assert path.name == "v11.prompty"
    assert path.read_bytes() == library.path("greeting", 10).read_bytes()


def test_a_first_draft_is_a_prompt_without_problems(library: Library) -> None:
    assert library.problems(library.draft("farewell")) == []
    assert library.get("farewell").reference == "farewell@1"


@pytest.mark.parametrize("name", ["", "Farewell", "../farewell", "a/b", "farewell@1", "1st"])
def test_a_draft_needs_a_plain_name(library: Library, name: str) -> None:
    with pytest.raises(GroundwireError, match="is not a name"):
        library.draft(name)


def test_a_released_text_may_not_change(library: Library) -> None:
    released = library.release("greeting@2")
    assert library.released() == {"greeting@2": released.sha256}
    released.path.write_text(released.text.replace("Greet ", "Hail "))
    (problem,) = library.problems(released.path)
    assert problem.problem.endswith("greeting@2 is released, and its text has changed")
    with pytest.raises(GroundwireError, match="its text has changed"):
        library.release("greeting@2")
    assert library.released() == {"greeting@2": released.sha256}


def test_releases_add_up_and_can_be_repeated(library: Library) -> None:
    for reference in ("greeting@2", "greeting@1", "greeting@2"):
        library.release(reference)
    assert sorted(library.released()) == ["greeting@1", "greeting@2"]
    assert [path.name for path in library.root.iterdir() if path.is_file()] == ["released.lock"]


def test_a_released_file_may_not_go(library: Library) -> None:
    library.release("greeting@1")
    library.release("greeting@2")
    assert library.missing() == []
    library.path("greeting", 2).unlink()
    (problem,) = library.missing()
    assert "released.lock:2: greeting@2 is released, and its file is gone" in problem.problem


def test_a_prompt_with_problems_is_not_released(library: Library, write: Writer) -> None:
    write(("Greet {{ person }}", "Greet {{ persona }}"), version=3)
    with pytest.raises(GroundwireError, match="is not declared"):
        library.release("greeting@3")
    assert library.released() == {}


@pytest.mark.parametrize("line", ["greeting@1", "greeting@1 12ab", "", f"greeting@2 {'0' * 64}"])
def test_a_damaged_lock_is_an_error_with_its_line(library: Library, line: str) -> None:
    library.release("greeting@2")
    lock = library.root / "released.lock"
    lock.write_text(f"{lock.read_text()}{line}\n")
    with pytest.raises(GroundwireError, match=r"released.lock:2: not a release"):
        library.released()


def test_the_shipped_prompts_have_no_problems_and_say_how_they_refuse() -> None:
    library = Library()
    assert {"answer"} <= set(library.names())
    assert library.missing() == []
    for path in library.files():
        assert library.problems(path) == []
    for version in library.versions("answer"):
        assert library.get(f"answer@{version}").refusal == "The documents do not answer this."
