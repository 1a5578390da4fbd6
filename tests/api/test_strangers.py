"""What a server tells, and listens to, before and beyond what a key may use."""

import httpx
import pytest

from api.access.keys import Keys
from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from tests.api.conftest import Guarded

QUESTION = {"question": "How long is the warranty on a kettle?"}


@pytest.fixture(scope="module")
def secrets(guarded: Guarded, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Keys for a collection and a model that are not the server's own, and for a collection that is not there."""
    page = tmp_path_factory.mktemp("garden") / "tulips.md"
    page.write_text("# Tulips\n\nThe tulip in the garden is red and flowers in April.")
    with Runtime(guarded.settings) as runtime:
        ingest([str(page)], "garden", runtime)
        keys = Keys(runtime.engine)
        wanted = {"garden": ("garden",), "lost": ("lost",), "both": ("garden", "lost")}
        return {name: keys.create(name, collections=collections)[1] for name, collections in wanted.items()}


def ask(guarded: Guarded, secret: str, **fields: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.post(f"{guarded.url}/chat", json={**QUESTION, **fields}, headers=headers, timeout=30)


def test_a_key_for_one_collection_need_not_name_it(guarded: Guarded, secrets: dict[str, str]) -> None:
    answer = ask(guarded, secrets["garden"], question="What colour is the tulip in the garden?").json()
    assert [passage["title"] for passage in answer["passages"]] == ["Tulips"]
    openai = httpx.post(
        f"{guarded.url}/v1/chat/completions",
        json={"model": "extractive", "messages": [{"role": "user", "content": "What colour is the tulip in the garden?"}]},
        headers={"authorization": f"Bearer {secrets['garden']}"},
        timeout=30,
    )
    assert "red" in openai.json()["choices"][0]["message"]["content"]


def test_a_key_for_several_collections_has_to(guarded: Guarded, secrets: dict[str, str]) -> None:
    refused = ask(guarded, secrets["both"])
    assert (refused.status_code, refused.json()["detail"]) == (403, "it may use: garden, lost")


def test_a_collection_that_is_missing_is_told_without_those_of_others(guarded: Guarded, secrets: dict[str, str]) -> None:
    assert ask(guarded, secrets["lost"]).json() == {
        "title": "collection lost does not exist",
        "detail": "there is none that the key may use",
        "status": 404,
    }
    assert ask(guarded, secrets["both"], collection="lost").json()["detail"] == "there is garden"


def test_readiness_tells_strangers_nothing_but_itself(guarded: Guarded) -> None:
    assert httpx.get(f"{guarded.url}/readyz").json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions", "/v1/feedback"])
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer gw_none_nothing"}], ids=["none", "unknown"])
def test_who_shows_no_key_is_not_listened_to(guarded: Guarded, path: str, headers: dict[str, str]) -> None:
    assert httpx.post(f"{guarded.url}{path}", content=b"{", headers=headers).status_code == 401


def test_a_body_of_a_good_key_is_still_looked_at(guarded: Guarded) -> None:
    headers = {"authorization": f"Bearer {guarded.team}"}
    assert (
        httpx.post(f"{guarded.url}/chat", content=b"{", headers={**headers, "content-type": "application/json"}).status_code
        == 400
    )


def test_a_search_of_the_log_is_bounded(guarded: Guarded) -> None:
    for path, secret in (("/v1/traces", guarded.team), ("/traces", guarded.admin)):
        found = [
            httpx.get(f"{guarded.url}{path}", params={"q": "a " * words}, headers={"authorization": f"Bearer {secret}"})
            for words in (100, 101)
        ]
        assert [response.status_code for response in found] == [200, 422]


def test_a_long_message_before_the_question_is_refused(guarded: Guarded) -> None:
    def messages(length: int) -> list[dict[str, str]]:
        return [
            {"role": "system", "content": "x" * 30_000},
            {"role": "user", "content": "9" * length},
            {"role": "user", "content": "And how long is the warranty?"},
        ]

    said = [
        httpx.post(
            f"{guarded.url}/v1/chat/completions",
            json={"model": "extractive", "messages": messages(length)},
            headers={"authorization": f"Bearer {guarded.team}"},
            timeout=30,
        )
        for length in (20_000, 20_001)
    ]
    assert [response.status_code for response in said] == [200, 400]
    assert "a message before the question has 20001 characters" in said[1].json()["error"]["message"]
