"""Who is let in: over HTTP, by the header or by the pages' cookie, and a server without keys."""

from collections.abc import AsyncIterator
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI, Request, Response
from prometheus_client import generate_latest
from sqlalchemy import Engine

from api.access.authentication import COOKIE, caller, forget, keep, require_keys, trace_scope
from api.access.keys import Key, Keys
from api.problem import problem
from api.telemetry import metrics
from rag.errors import GroundwireError

pytestmark = pytest.mark.anyio


@pytest.fixture
def keys(engine: Engine) -> Keys:
    return Keys(engine)


@pytest.fixture
def app(keys: Keys) -> FastAPI:
    app = FastAPI()
    app.state.keys = keys
    app.add_exception_handler(GroundwireError, lambda _, error: problem(error))  # type: ignore[arg-type]

    @app.get("/who")
    @app.post("/who")
    async def who(key: Annotated[Key | None, Depends(caller)]) -> str | None:
        return key and key.name

    @app.post("/login")
    async def login(request: Request, response: Response) -> None:
        keep((await request.body()).decode(), request, response)

    @app.post("/logout")
    async def logout(response: Response) -> None:
        forget(response)

    return app


def client_of(app: FastAPI, url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=url)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app, "http://groundwire") as client:
        yield client


@pytest.mark.parametrize("url", ["http://localhost", "http://127.0.0.1:8000", "http://[::1]:8000"])
async def test_before_a_key_was_made_everybody_here_is_let_in_whatever_they_show(app: FastAPI, url: str) -> None:
    async with client_of(app, url) as client:
        assert (await client.get("/who")).json() is None
        assert (await client.get("/who", headers={"Authorization": "Bearer sk-any"})).status_code == 200


async def test_a_name_that_was_made_to_point_here_is_not_let_in_without_a_key(app: FastAPI) -> None:
    async with client_of(app, "http://evil.example:8000") as client:
        refused = await client.get("/who")
    assert refused.status_code == 403
    assert "evil.example" in refused.json()["title"]


async def test_an_origin_that_is_none_is_a_foreign_one(client: httpx.AsyncClient, keys: Keys) -> None:
    _, secret = keys.create("website")
    refused = await client.post("/who", headers={"Origin": "http://[", "Cookie": f"groundwire_key={secret}"})
    assert refused.status_code == 401


async def test_a_key_is_asked_for_once_there_is_one(client: httpx.AsyncClient, keys: Keys) -> None:
    _, secret = keys.create("website")
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert (await client.get("/who", headers={"Authorization": f"{scheme} {secret}"})).json() == "website"
    nothing = await client.get("/who")
    assert nothing.status_code == 401
    assert nothing.headers["www-authenticate"] == "Bearer"
    assert nothing.json()["title"] == "the request shows no key"
    for wrong in (f"Bearer {secret[:-1]}", "Bearer", "Bearer ", secret, f"Basic {secret}", "", f"Bearer {secret} x"):
        refused = await client.get("/who", headers={"Authorization": wrong})
        assert refused.status_code == 401, wrong
        assert secret not in refused.text


async def test_a_revoked_key_is_no_key_and_does_not_open_the_server(client: httpx.AsyncClient, keys: Keys) -> None:
    key, secret = keys.create("website")
    keys.revoke(key.id)
    assert (await client.get("/who", headers={"Authorization": f"Bearer {secret}"})).status_code == 401
    assert (await client.get("/who")).status_code == 401


async def test_a_browser_keeps_the_key_where_no_script_reads_it(app: FastAPI, keys: Keys) -> None:
    _, secret = keys.create("website")
    for scheme in ("http", "https"):
        async with client_of(app, f"{scheme}://groundwire") as browser:
            told = (await browser.post("/login", content=secret)).headers["set-cookie"].lower()
            assert "httponly" in told
            assert "samesite=strict" in told
            assert ("secure" in told) == (scheme == "https")
            assert (await browser.get("/who")).json() == "website"
            await browser.post("/logout")
            assert (await browser.get("/who")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://groundwire"}, 200),
        ({"Origin": "http://groundwire:8000"}, 401),
        ({"Origin": "http://elsewhere"}, 401),
        ({"Origin": "null"}, 401),
        ({"Origin": ""}, 401),
        ({}, 401),
        ({"Origin": "https://before-a-proxy", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "http://groundwire", "Sec-Fetch-Site": "same-site"}, 401),
        ({"Sec-Fetch-Site": "none"}, 401),
    ],
)
async def test_the_cookie_changes_nothing_but_for_our_own_pages(
    client: httpx.AsyncClient, keys: Keys, headers: dict[str, str], status: int
) -> None:
    _, secret = keys.create("website")
    client.cookies.set(COOKIE, secret)
    assert (await client.post("/who", headers=headers)).status_code == status
    assert (await client.get("/who", headers=headers)).status_code == 200


async def test_a_header_goes_before_the_cookie(client: httpx.AsyncClient, keys: Keys) -> None:
    _, website = keys.create("website")
    _, other = keys.create("other")
    client.cookies.set(COOKIE, website)
    assert (await client.get("/who", headers={"Authorization": f"Bearer {other}"})).json() == "other"
    assert (await client.get("/who", headers={"Authorization": "Bearer wrong"})).status_code == 401


async def test_what_is_refused_is_counted(client: httpx.AsyncClient, keys: Keys) -> None:
    keys.create("website")

    def count() -> str:
        lines = generate_latest(metrics.REGISTRY).decode().splitlines()
        return next((line for line in lines if "unauthorized" in line and not line.startswith("#")), "")

    before = count()
    await client.get("/who")
    assert count() != before


async def test_the_documentation_says_that_a_key_is_needed(app: FastAPI) -> None:
    document = app.openapi()
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert document["paths"]["/who"]["post"]["security"] == [{"key": []}]
    assert "parameters" not in document["paths"]["/who"]["get"]


async def test_a_tenant_sees_its_own_traces_and_an_admin_all(keys: Keys) -> None:
    tenant, _ = keys.create("website")
    admin, _ = keys.create("operator", admin=True)
    assert (trace_scope(tenant), trace_scope(admin), trace_scope(None)) == (tenant.id, None, None)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
async def test_loopback_without_keys_is_open(keys: Keys, host: str) -> None:
    assert not require_keys(host, keys)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "", "127.0.0.1.example.org"])
async def test_another_address_needs_a_key(engine: Engine, host: str) -> None:
    keys = Keys(engine)
    with pytest.raises(GroundwireError, match="without a key .*: make one with `api keys create NAME`"):
        require_keys(host, keys)
    key, _ = keys.create("website")
    keys.revoke(key.id)
    assert require_keys(host, Keys(engine))
    assert require_keys("127.0.0.1", Keys(engine))
