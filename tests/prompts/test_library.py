"""The folder of prompts: references, drafts, releases."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from prompts.errors import GroundwireError
from prompts.library import Library
from prompts.prompt import Prompt

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
        ("greeting@latest", "has no label latest"),
        ("greeting@Latest", "is not a prompt reference"),
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


@pytest.mark.parametrize(
    "changelog", ["First version.", ">-\n    Two lines,\n    and why.", "|\n    Two.\n\n    Paragraphs.", ""]
)
def test_a_draft_is_a_copy_of_the_highest_version_whose_changelog_is_to_be_written(library: Library, changelog: str) -> None:
    highest = library.path("greeting", 10)
    before = highest.read_text().replace("changelog: First version.", f"changelog: {changelog}")
    highest.write_text(before)
    path = library.draft("greeting")
    assert path.name == "v11.prompty"
    assert path.read_text() == before.replace(f"changelog: {changelog}", 'changelog: ""')
    (problem,) = library.problems(path)
    assert "`metadata.changelog` is missing or empty" in problem.problem
    with pytest.raises(GroundwireError, match="changelog"):
        library.release("greeting@11")


def test_a_first_draft_lacks_only_what_its_author_knows(library: Library) -> None:
    path = library.draft("farewell")
    assert [problem.problem.split(": ")[1] for problem in library.problems(path)] == [
        "`metadata.owner` is missing or empty",
        "`metadata.purpose` is missing or empty",
    ]
    path.write_text(path.read_text().replace('owner: ""', "owner: me").replace('purpose: ""', "purpose: To part."))
    assert library.problems(path) == []
    assert library.get("farewell").reference == "farewell@1"


@pytest.mark.parametrize("name", [*Library().names(), "farewell"])
def test_a_first_draft_has_the_inputs_of_what_is_shipped_under_its_name_or_else_of_an_answer(library: Library, name: str) -> None:
    shipped = Library().get(name if name != "farewell" else "answer")
    draft = Prompt.read(library.draft(name))
    assert (draft.reference, draft.inputs.keys()) == (f"{name}@1", shipped.inputs.keys())
    assert draft.metadata["owner"] == draft.metadata["purpose"] == ""
    assert draft.render(**draft.examples) == shipped.render(**shipped.examples)


def test_what_is_not_there_and_is_shipped_can_be_started_from(library: Library) -> None:
    with pytest.raises(GroundwireError, match="no prompt judge in .*: `prompts new judge` starts from the one that is shipped"):
        library.get("judge")


@pytest.mark.parametrize("name", ["", "Farewell", "../farewell", "a/b", "farewell@1", "1st"])
def test_a_draft_needs_a_plain_name(library: Library, name: str) -> None:
    with pytest.raises(GroundwireError, match="is not a name"):
        library.draft(name)


def test_a_released_text_may_not_change(library: Library) -> None:
    released = library.release("greeting@2")
    assert library.released() == {"greeting@2": released.sha256}
    released.path.write_text(released.text.replace("Greet ", "Hail "))
    (problem,) = library.problems(released.path)
    assert problem.problem == f"{released.path}:1: greeting@2 is released, and its text has changed"
    assert problem.mend.endswith("prompts new greeting")
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


def test_a_label_stands_for_a_released_version(library: Library) -> None:
    library.release("greeting@1")
    library.release("greeting@2")
    assert library.label("production", "greeting@2").reference == "greeting@2"
    library.label("staging", "greeting@1")
    assert library.get("greeting@production").reference == "greeting@2"
    library.label("production", "greeting@staging")
    assert library.get("greeting@production").reference == "greeting@1"
    assert library.get("greeting").reference == "greeting@10"
    assert library.mislabelled() == []


def test_labels_are_kept_sorted_and_whole(library: Library, write: Writer, tmp_path: Path) -> None:
    other = tmp_path / "farewell" / "v3.prompty"
    other.parent.mkdir()
    other.write_text(write().read_text().replace("name: greeting", "name: farewell"))
    for reference in ("greeting@1", "greeting@2", "farewell@3"):
        library.release(reference)
    for label, reference in (("staging", "greeting@2"), ("production", "greeting@2"), ("production", "farewell@3")):
        library.label(label, reference)
    library.label("production", "greeting@1")
    lines = (tmp_path / "labels.toml").read_text().splitlines()
    assert lines[2:] == ["[production]", "farewell = 3", "greeting = 1", "", "[staging]", "greeting = 2"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == ["labels.toml", "released.lock"]


@pytest.mark.parametrize(
    ("label", "reference", "told"),
    [
        ("production", "greeting@2", "release it first: prompts release greeting@2"),
        ("production", "greeting@9", "there is greeting@1, greeting@2, greeting@10"),
        ("production", "greeting@staging", "has no label staging"),
        ("Production", "greeting@1", "is not a label"),
        ("2", "greeting@1", "is not a label"),
    ],
)
def test_what_cannot_be_labelled_changes_nothing(library: Library, label: str, reference: str, told: str) -> None:
    library.release("greeting@1")
    library.label("canary", "greeting@1")
    before = (library.root / "labels.toml").read_bytes()
    with pytest.raises(GroundwireError, match=re.escape(told)):
        library.label(label, reference)
    assert (library.root / "labels.toml").read_bytes() == before


def test_an_unknown_label_tells_those_of_that_prompt(library: Library) -> None:
    with pytest.raises(GroundwireError, match=re.escape("prompts label production greeting@VERSION")):
        library.get("greeting@production")
    library.release("greeting@2")
    library.label("canary", "greeting@2")
    with pytest.raises(GroundwireError, match=re.escape("has no label production in")) as error:
        library.get("greeting@production")
    assert error.value.mend == "its labels are canary (greeting@2)"


def test_a_label_of_what_is_gone_or_may_change_is_a_problem_with_its_line(library: Library) -> None:
    library.release("greeting@1")
    labels = library.root / "labels.toml"
    labels.write_text("[canary]\ngreeting = 1\n\n[production] # live\ngreeting = 9\nfarewell = 1\n[staging]\ngreeting = 2\n")
    assert [str(problem).split(": ")[:2] for problem in library.mislabelled()] == [
        [f"{labels}:5", "production is greeting@9, which does not exist"],
        [f"{labels}:6", "production is farewell@1, which does not exist"],
        [f"{labels}:8", "staging is greeting@2, which is not released"],
    ]
    with pytest.raises(GroundwireError, match=r"there is no prompt greeting@9 .* labelled production: there is greeting@1"):
        library.get("greeting@production")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[production\n", "is not TOML"),
        ("# live\nproduction = 2\n", "labels.toml:2: production is not the table of a label"),
        ("[production]\nanswer = 1\ngreeting = 'two'\n", "labels.toml:3: greeting = 'two' is not a prompt and its version"),
        ("[production]\ngreeting = 0\n", "labels.toml:2: greeting = 0 is not"),
        ("[production]\ngreeting = true\n", "labels.toml:2: greeting = True is not"),
        ("[staging]\n\n[Production]\n", "labels.toml:3: Production is not the table"),
    ],
)
def test_a_damaged_file_of_labels_is_a_problem_with_its_line(library: Library, text: str, told: str) -> None:
    (library.root / "labels.toml").write_text(text)
    (problem,) = library.mislabelled()
    assert told in str(problem)
    with pytest.raises(GroundwireError, match=re.escape(told)):
        library.get("greeting@production")
    assert library.get("greeting@1").version == 1


def test_the_shipped_prompts_have_no_problems_and_say_how_they_refuse() -> None:
    library = Library()
    assert {"answer"} <= set(library.names())
    assert library.missing() + library.mislabelled() == []
    assert library.get("answer@production").refusal
    for path in library.files():
        assert library.problems(path) == []
    for version in library.versions("answer"):
        assert library.get(f"answer@{version}").refusal == "The documents do not answer this."
