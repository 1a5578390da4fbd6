"""A server over the shop, asking the provider on loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rag.settings import Settings
from tests.servers.groundwire import served
from tests.servers.provider import Provider

VARIANTS = {
    "default": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n',
    "careful": '[llm]\nmodel = "anthropic/claude-sonnet-4-5"\nattempts = 1\n[release]\npolicy = "quote"\n',
    "extractive": '[llm]\nmodel = "local/extractive"\n',
    "hasty": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\nfirst_token_seconds = 0.2\n',
}


@pytest.fixture(scope="session")
def settings(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder: Path = tmp_path_factory.mktemp("variants")
    for name, text in VARIANTS.items():
        (folder / f"{name}.toml").write_text(text)
    return shop.model_copy(update={"variants": folder})


@pytest.fixture(scope="session")
def url(settings: Settings, server: Provider) -> Iterator[str]:
    with served(settings, "--collection", "shop", environment=server.environment) as url:
        yield url


@pytest.fixture(autouse=True)
def upstream(server: Provider) -> Provider:
    server.script()
    return server
