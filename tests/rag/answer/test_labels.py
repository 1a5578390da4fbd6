import pytest

from rag.answer.labels import Label, Labels, joined


def waiting(text: str, *labels: tuple[str, int]) -> Labels:
    made = Labels()
    for said, rank in labels:
        made.wait(Label(text.index(said), text.index(said) + len(said), rank, said))
    return made


@pytest.mark.parametrize(
    ("text", "gap", "apart"),
    [
        ("", "\n\n", ""),
        ("One. ", "", "One. "),
        ("One. ", " ", "One. "),
        ("One. ", "\n\n", "One.\n\n"),
        ("One.\n", "\n\n", "One.\n\n"),
        ("One.\n\n", "\n", "One.\n\n"),
        ("One. ", "\n   ", "One.\n"),
    ],
)
def test_what_stood_on_lines_of_its_own_still_does(text: str, gap: str, apart: str) -> None:
    assert joined(text, gap) == apart


def test_labels_are_dropped_by_rank_and_the_others_move() -> None:
    text = "It opens. # Pool\n\nHours:\n\n## Eight\n\n"
    labels = waiting(text, ("# Pool", 1), ("Hours:", 8), ("## Eight", 2))
    text = labels.drop(text, range(8, 9))
    assert text == "It opens. # Pool\n\n## Eight\n\n"
    assert labels.without(text) == "It opens.\n\n"
    labels.stand()
    assert labels.path() == ("# Pool", "## Eight")
    assert labels.without(text) == text


def test_a_label_takes_the_place_of_those_of_its_rank() -> None:
    text = "# A\n## B\n# C\n"
    labels = waiting(text, ("# A", 1), ("## B", 2))
    labels.stand()
    labels.wait(Label(9, 12, 1, "# C"))
    assert labels.path() == ("# C",)
    labels.stand()
    assert labels.repeats(1, "# C")
    assert not labels.repeats(1, "# A")
    assert labels.above == {"# C"}
