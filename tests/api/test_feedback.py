"""`/v1/feedback` over a real wire: who may say what of which answer."""

import json
from uuid import uuid4

import httpx
import pytest

from tests.api.conftest import Guarded


def asked(guarded: Guarded, key: str) -> str:
    """The id of a new trace."""
    body = {"question": "How long is the warranty on a kettle?", "variant": "extractive"}
    response = httpx.post(f"{guarded.url}/chat", json=body, headers={"authorization": f"Bearer {key}"})
    return response.json()["trace_id"]  # type: ignore[no-any-return]


def give(guarded: Guarded, key: str, **said: object) -> httpx.Response:
    return httpx.post(f"{guarded.url}/v1/feedback", json=said, headers={"authorization": f"Bearer {key}"})


def read(guarded: Guarded, key: str, id: str) -> httpx.Response:
    return httpx.get(f"{guarded.url}/v1/feedback", params={"trace_id": id}, headers={"authorization": f"Bearer {key}"})


def test_what_is_said_is_kept_and_can_be_changed(guarded: Guarded) -> None:
    id = asked(guarded, guarded.team)
    assert read(guarded, guarded.team, id).json() == {"data": []}
    first = give(guarded, guarded.team, trace_id=id, thumb="up", comment="Thanks \u2603")
    assert (first.status_code, first.json()["thumb"]) == (200, "up")
    give(guarded, guarded.team, trace_id=id, thumb="down", score=0.25, outcome="escalated")
    (entry,) = read(guarded, guarded.team, id).json()["data"]
    assert (entry["thumb"], entry["score"], entry["comment"], entry["outcome"]) == ("down", 0.25, "Thanks \u2603", "escalated")
    assert entry["author"] in guarded.team


def test_each_key_speaks_for_itself(guarded: Guarded) -> None:
    id = asked(guarded, guarded.team)
    give(guarded, guarded.team, trace_id=id, thumb="up")
    give(guarded, guarded.admin, trace_id=id, thumb="down")
    assert [entry["thumb"] for entry in read(guarded, guarded.admin, id).json()["data"]] == ["up", "down"]


def test_of_the_traces_of_others_nothing_can_be_said_or_read(guarded: Guarded) -> None:
    id = asked(guarded, guarded.team)
    unknown = str(uuid4())
    hidden, missing = (
        give(guarded, guarded.bound, trace_id=id, thumb="up"),
        give(guarded, guarded.bound, trace_id=unknown, thumb="up"),
    )
    assert hidden.status_code == missing.status_code == read(guarded, guarded.bound, id).status_code == 404
    assert hidden.json()["title"].replace(id, "") == missing.json()["title"].replace(unknown, "")
    assert hidden.headers["content-type"] == "application/problem+json"
    assert read(guarded, guarded.team, id).json() == {"data": []}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({}, "says nothing"),
        ({"thumb": "sideways"}, "thumb"),
        ({"score": 1.01}, "score"),
        ({"comment": "a" * 4001}, "comment"),
        ({"outcome": ""}, "outcome"),
        ({"outcome": "a" * 65}, "outcome"),
        ({"thumb": "up", "stars": 5}, "stars"),
    ],
    ids=lambda value: next(iter(value), "nothing") if isinstance(value, dict) else "",
)
def test_what_is_out_of_shape_is_told(guarded: Guarded, said: dict[str, object], told: str) -> None:
    response = give(guarded, guarded.team, trace_id=asked(guarded, guarded.team), **said)
    assert (response.status_code, told in response.json()["title"]) == (422, True)


def test_characters_that_cannot_be_kept_are_replaced(guarded: Guarded) -> None:
    id = asked(guarded, guarded.team)
    body = json.dumps({"trace_id": id, "comment": "half \ud800 and \0"})
    headers = {"authorization": f"Bearer {guarded.team}", "content-type": "application/json"}
    response = httpx.post(f"{guarded.url}/v1/feedback", content=body, headers=headers)
    assert response.json()["comment"] == "half \ufffd and \ufffd"


def test_without_keys_anybody_may_speak(url: str) -> None:
    body = {"question": "How long is the warranty on a kettle?", "variant": "extractive"}
    id = httpx.post(f"{url}/chat", json=body).json()["trace_id"]
    response = httpx.post(f"{url}/v1/feedback", json={"trace_id": id, "thumb": "up"})
    assert response.json()["author"] == "anonymous"
