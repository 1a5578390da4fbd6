"""`/v1/traces` over a real wire: each key sees its own."""

import httpx
import pytest

from tests.api.conftest import Guarded
from tests.api.test_feedback import asked, give


def get(guarded: Guarded, secret: str, path: str = "", **filters: object) -> httpx.Response:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx.get(f"{guarded.url}/v1/traces{path}", params=filters, headers=headers)  # type: ignore[arg-type]


def ids(response: httpx.Response) -> list[str]:
    return [found["id"] for found in response.json()["data"]]


def test_a_key_lists_and_opens_what_it_asked(guarded: Guarded) -> None:
    mine, other = asked(guarded, guarded.team), asked(guarded, guarded.bound)
    assert mine in ids(get(guarded, guarded.team))
    assert other not in ids(get(guarded, guarded.team))
    assert {mine, other} <= set(ids(get(guarded, guarded.admin)))
    opened = get(guarded, guarded.team, f"/{mine}")
    assert opened.json()["question"] == "How long is the warranty on a kettle?"
    assert opened.json()["passages"]
    assert opened.headers["x-groundwire-trace"] == mine
    assert get(guarded, guarded.team, f"/{other}").status_code == 404
    assert get(guarded, guarded.admin, f"/{other}").status_code == 200


def test_a_list_is_filtered_and_paged(guarded: Guarded) -> None:
    made = [asked(guarded, guarded.team) for _ in range(3)]
    give(guarded, guarded.team, trace_id=made[1], thumb="down")
    assert made[1] in ids(get(guarded, guarded.team, thumb="down"))
    assert not {made[0], made[2]} & set(ids(get(guarded, guarded.team, thumb="down")))
    first = get(guarded, guarded.team, limit=2, q="warranty", variant="extractive", outcome="answered")
    assert ids(first) == [made[2], made[1]]
    second = get(guarded, guarded.team, limit=2, q="warranty", cursor=first.json()["next"])
    assert ids(second)[0] == made[0]
    assert ids(get(guarded, guarded.team, q="nobody asked this")) == []
    assert "answer" not in first.json()["data"][0]


def test_an_administrator_lists_what_another_key_asked(guarded: Guarded) -> None:
    id = asked(guarded, guarded.bound)
    key = guarded.bound.split("_")[1]
    assert ids(get(guarded, guarded.admin, key=key))[0] == id
    refused = get(guarded, guarded.team, key=key)
    assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")


@pytest.mark.parametrize(
    "filters", [{"colour": "red"}, {"limit": 201}, {"limit": 0}, {"since": "soon"}, {"cursor": "1"}], ids=str
)
def test_a_filter_out_of_shape_is_told(guarded: Guarded, filters: dict[str, object]) -> None:
    response = get(guarded, guarded.team, **filters)
    assert (response.status_code, next(iter(filters)) in response.json()["title"]) == (422, True)


def test_an_id_that_is_none_is_told(guarded: Guarded) -> None:
    assert get(guarded, guarded.team, "/%25").status_code == 422


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/feedback?trace_id=x", "/v1/models", "/v1/models/default"])
def test_without_a_key_nothing_is_shown(guarded: Guarded, path: str) -> None:
    for headers in ({}, {"authorization": "Bearer nothing"}, {"authorization": f"Basic {guarded.admin}"}):
        response = httpx.get(f"{guarded.url}{path}", headers=headers)
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == "Bearer"
