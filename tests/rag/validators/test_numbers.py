import pytest

from rag.validators.numbers import numbers


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
        ("5 km", "5,000 metres"),
        ("2 hours", "120 minutes"),
        ("50 %", "fifty percent"),
        ("1.5 KB", "1,536 bytes"),
        ("1.5 kB", "1,500 bytes"),
        ("2 GiB", "2048 MB"),
    ],
)
def test_one_quantity_written_differently(one: str, other: str) -> None:
    assert numbers(one)[0].says(numbers(other)[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("12", "13"),
        ("1.2 million", "1.2"),
        ("50", "500"),
        ("1,200", "1.2"),
        ("5 km", "5 m"),
        ("5 %", "5 percentage points"),
        ("$5", "€5"),
        ("1.5 KB", "1,550 bytes"),
        ("2 MB", "2 GB"),
    ],
)
def test_different_quantities(one: str, other: str) -> None:
    assert not numbers(one)[0].says(numbers(other)[0])


def test_kinds_and_units() -> None:
    found = numbers("In 1999 about 50 % of 12 dogs and two cats came 3rd.")
    assert [(number.kind, number.unit) for number in found] == [
        ("year", ""),
        ("number", "percent"),
        ("number", ""),
        ("word", ""),
        ("ordinal", ""),
    ]
    assert [number.approximate for number in found] == [False, True, False, False, False]


@pytest.mark.parametrize("text", ["20-50 %", "20 to 50 %", "20 % to 50 %", "20- to 50-percent"])
def test_the_ends_of_a_range_share_its_unit(text: str) -> None:
    assert [(number.unit, number.values) for number in numbers(text)] == [("percent", {20.0}), ("percent", {50.0})]


@pytest.mark.parametrize("text", ["3 to 5 days", "3-5 days", "20 % to 50 %", "$3 to $5"])
def test_the_ends_of_a_range_are_marked(text: str) -> None:
    assert [number.ranged for number in numbers(text)] == [True, True]


@pytest.mark.parametrize("text", ["3 days", "2019-2020", "3 days and 5 days", "3 days to 5 km"])
def test_what_is_no_range(text: str) -> None:
    assert not any(number.ranged for number in numbers(text))


def test_years_are_not_counts() -> None:
    year, count = numbers("In 2019 there were 2019 km.")
    assert not year.comparable(count)


def test_spans() -> None:
    text = "From 1.2 million to twenty-one."
    assert [text[number.start : number.end] for number in numbers(text)] == ["1.2 million", "twenty-one"]


@pytest.mark.parametrize("text", ["One may ask.", "v2.1 of abc123", "no digits"])
def test_what_is_no_quantity(text: str) -> None:
    assert [number.text for number in numbers(text) if number.text in ("One", "2.1", "123")] == []


def test_what_is_rounded() -> None:
    (about,) = numbers("about 1,250")
    assert about.near(frozenset({1237.0}))
    assert not about.near(frozenset({1500.0}))
    assert not numbers("1,237")[0].near(frozenset({1250.0}))
