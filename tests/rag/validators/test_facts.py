import pytest

from rag.validators.facts import may_be_same, months, names, negated, numbers, opposites


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.2 million", "1,200,000"),
        ("1.200", "1200"),
        ("1 200", "1 200"),
        ("3,5", "3.5"),
        ("twenty-one", "21"),
        ("two hundred", "200"),
        ("5k", "5000"),
        ("$3bn", "3 billion"),
        ("1400万", "14000000"),
        ("12亿", "1.2 billion"),
        ("3rd", "third"),
        ("2 млн", "2 million"),
    ],
)
def test_the_same_number_written_differently(one: str, other: str) -> None:
    (first,), (second,) = numbers(one)[:1], numbers(other)[:1]
    assert first.values & second.values


@pytest.mark.parametrize(("one", "other"), [("12", "13"), ("1.2 million", "1.2"), ("50", "500"), ("1,200", "1.2")])
def test_different_numbers(one: str, other: str) -> None:
    assert not numbers(one)[0].values & numbers(other)[0].values


def test_kinds() -> None:
    assert [number.kind for number in numbers("In 1999 about 50 % of 12 dogs and two cats.")] == [
        "year",
        "percent",
        "number",
        "word",
    ]
    assert numbers("One may ask.") == []


def test_names_do_not_begin_a_sentence() -> None:
    assert names("Yesterday Marie Curie and I met. But Paris slept, said Émile.") == ["Marie", "Curie", "Paris", "Émile"]


def test_abbreviations_may_be_the_same() -> None:
    assert may_be_same("US", "United")
    assert may_be_same("African", "Africa")
    assert not may_be_same("Paris", "London")


def test_negations_reach_to_the_end_of_the_clause() -> None:
    assert negated("It is not open, but it isn't closed") == [" open", " closed"]
    assert negated("It is not only large") == []


def test_months_and_opposites() -> None:
    assert months("from Jan. to December") == {1.0, 12.0}
    assert ("after", "befor") in opposites("en")
    assert opposites("de") == ()
