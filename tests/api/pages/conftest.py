"""A server whose answers arrive sentence by sentence, and people who look at its pages."""

from collections.abc import Iterator

import httpx
import pytest

from rag.settings import Settings
from tests.api.conftest import Guarded, with_variants
from tests.servers.groundwire import served
from tests.servers.provider import Provider

VARIANTS = {
    "default": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n[release]\npolicy = "quote"\ngate = "sentence"\n',
    "extractive": '[llm]\nmodel = "local/extractive"\n',
}


@pytest.fixture(scope="session")
def gated(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return with_variants(shop, tmp_path_factory.mktemp("gated"), VARIANTS)


@pytest.fixture(scope="session")
def address(gated: Settings, server: Provider) -> Iterator[str]:
    with served(gated, "--collection", "shop", environment=server.environment) as url:
        yield url


@pytest.fixture
def open_client(address: str) -> Iterator[httpx.Client]:
    """Of a server without keys."""
    with httpx.Client(base_url=address, timeout=30) as client:
        yield client


def _logged_in(guarded: Guarded, secret: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=guarded.url, cookies={"groundwire_key": secret}) as client:
        yield client


@pytest.fixture
def admin(guarded: Guarded) -> Iterator[httpx.Client]:
    yield from _logged_in(guarded, guarded.admin)


@pytest.fixture
def team(guarded: Guarded) -> Iterator[httpx.Client]:
    yield from _logged_in(guarded, guarded.team)


@pytest.fixture
def bound(guarded: Guarded) -> Iterator[httpx.Client]:
    yield from _logged_in(guarded, guarded.bound)
