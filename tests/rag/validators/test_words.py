import pytest

from rag.validators.words import Kind, Word, words


def kinds(text: str) -> dict[str, str]:
    return {word.text: word.kind.name for word in words(text, "en")}


def test_kinds() -> None:
    assert kinds("Yesterday, Marie Curie paid 1.2 million on Friday in Paris.") == {
        "Yesterday": "CONTENT",
        "Marie": "NAME",
        "Curie": "NAME",
        "paid": "CONTENT",
        "1.2 million": "NUMBER",
        "Friday": "TIME",
        "Paris": "NAME",
    }


def test_a_name_may_begin_a_sentence() -> None:
    assert words("Marta Olsen decided.", "en")[0].kind is Kind.NAME
    assert words("Penguins swim.", "en")[0].kind is Kind.CONTENT
    assert words("Penguins swim.", "en")[0].capital


def test_peoples_are_names_in_any_case() -> None:
    assert words("an american writer", "en")[0].kind is Kind.NAME


def test_nouns_are_no_names_where_all_are_capitalised() -> None:
    assert [word.kind for word in words("der Hund im Wasser", "de") if word.text == "Hund"] == [Kind.CONTENT]


@pytest.mark.parametrize("date", ["on 3 May", "on May 3", "on May 3rd", "on the 3rd of May"])
def test_a_day_of_a_month_is_one_word(date: str) -> None:
    assert [word.key for word in words(f"We met {date}.", "en")][-1] == "month 5 3"


def test_what_is_contracted_with_a_function_word_is_one() -> None:
    assert kinds("It\u2019s the limit that we'll see.") == {"limit": "CONTENT", "see": "CONTENT"}


def test_a_unit_of_data_is_no_name() -> None:
    assert kinds("Each takes 2 KB or 1 kB.")["KB"] == "CONTENT"


def test_what_opens_code_is_a_literal() -> None:
    assert kinds("Pass `prune` or `rag ingest`.") == {
        "Pass": "CONTENT",
        "prune": "LITERAL",
        "rag": "LITERAL",
        "ingest": "CONTENT",
    }


def negated(text: str) -> list[str]:
    return [word.text for word in words(text, "en") if word.negated]


@pytest.mark.parametrize(
    ("text", "denied"),
    [
        ("It is not open, and busy.", ["open"]),
        ("It isn't closed because rain fell.", ["closed"]),
        ("He failed to win.", ["win"]),
        ("Never swim alone.", ["swim", "alone"]),
        ("It is not only large.", []),
        ("It is large.", []),
        ("PDFs hold no text and are quarantined.", ["text"]),
        ("The outcome `failed` says more.", []),
        ("Set `no` for speed.", []),
        ("Not really, kettles break.", []),
        ("I don't think so, but kettles break.", []),
        ("I cannot be sure, but kettles break.", []),
        ("Kettles do not really break, but age.", ["really", "break"]),
    ],
)
def test_negations_reach_to_the_end_of_the_clause(text: str, denied: list[str]) -> None:
    assert negated(text) == denied


def test_function_words_lead_to_the_next() -> None:
    found: dict[str, Word] = {word.text: word for word in words("It closed, after the storm, to guests.", "en")}
    assert found["storm"].lead == (",", "after", "the")
    assert found["guests"].lead == (",", "to")
