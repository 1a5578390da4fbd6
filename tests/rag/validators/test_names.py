import pytest

from rag.validators.names import abbreviated, held, may_be_same


@pytest.mark.parametrize(("name", "other"), [("US", "United"), ("US", "States"), ("African", "Africa"), ("Obama's", "Obama")])
def test_forms_of_one_name(name: str, other: str) -> None:
    assert may_be_same(name, other)


@pytest.mark.parametrize(("name", "other"), [("Paris", "London"), ("NASA", "Boeing"), ("Marta", "Maria")])
def test_different_names(name: str, other: str) -> None:
    assert not may_be_same(name, other)


def test_a_form_of_a_name_or_its_expansion_is_held() -> None:
    assert held("African", {"Africa"}, "")
    assert held("NFL", set(), "TNFLW")
    assert held("CNN", {"CNNs"}, "")
    assert not held("NFL", {"Football"}, "TNLFW")
    assert not held("Peru", {"Person"}, "")


def test_an_abbreviation_holds_a_name_of_several_words() -> None:
    assert abbreviated(["National", "Football", "League"], {"NFL"})
    assert not abbreviated(["National"], {"N"})
