"""What is told of a field that is out of shape is about what was sent, not about how it is checked."""

import httpx
import pytest

TEXT = "it is no text, finite number, true or false, or list of these"


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ('"where": {"a": NaN}', f"where.a: {TEXT}"),
        ('"where": {"a": [1, -Infinity]}', f"where.a: {TEXT}"),
        ('"where": {"a": {"b": 1}}', f"where.a: {TEXT}"),
        (f'"session": "{"a" * 201}"', "session: String should have at most 200 characters"),
    ],
)
def test_the_field_and_what_it_may_be(url: str, field: str, told: str) -> None:
    refused = httpx.post(f"{url}/chat", content=f'{{"question": "Why?", {field}}}', headers={"content-type": "application/json"})
    assert (refused.status_code, refused.json()["title"]) == (422, told)


def test_a_number_of_thousands_of_digits(url: str) -> None:
    body = '{"question": "Why?", "where": {"a": ' + "9" * 5000 + "}}"
    refused = httpx.post(f"{url}/chat", content=body, headers={"content-type": "application/json"})
    assert refused.json()["detail"] == "send JSON in UTF-8, not nested deeply, with numbers of at most 4,300 digits"
