"""Servers over the shop, asking the provider on loopback: one open to this machine, one that asks for keys."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from api.access.keys import Keys
from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.settings import Settings
from tests.conftest import PAGES
from tests.servers.groundwire import served
from tests.servers.provider import Provider

VARIANTS = {
    "default": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n',
    "careful": '[llm]\nmodel = "anthropic/claude-sonnet-4-5"\nattempts = 1\n[release]\npolicy = "quote"\n',
    "extractive": '[llm]\nmodel = "local/extractive"\n',
    "hasty": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\nfirst_token_seconds = 0.2\n',
}


def with_variants(settings: Settings, folder: Path, texts: Mapping[str, str]) -> Settings:
    """The settings with these variants alone, written to `folder`."""
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    return settings.model_copy(update={"variants": folder})


@pytest.fixture(scope="session")
def settings(shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return with_variants(shop, tmp_path_factory.mktemp("variants"), VARIANTS)


@pytest.fixture(scope="session")
def url(settings: Settings, server: Provider) -> Iterator[str]:
    with served(settings, "--collection", "shop", environment=server.environment) as url:
        yield url


class Guarded(NamedTuple):
    """A server that asks for keys. `bound` may ask the variant `extractive` alone."""

    url: str
    settings: Settings
    admin: str
    team: str
    bound: str


@pytest.fixture(scope="session")
def guarded(
    settings: Settings, server: Provider, tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]
) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    own = settings.model_copy(update={"home": folder / "home", "ledger": new_ledger()})
    with Runtime(own) as runtime:
        ingest([str(folder / name) for name in PAGES], "shop", runtime)
        keys = Keys(runtime.engine)
        admin, team, bound = (
            keys.create(name, admin=name == "admin", models=("extractive",) if name == "bound" else None)[1]
            for name in ("admin", "team", "bound")
        )
    with served(own, "--collection", "shop", "--variant", "extractive", environment=server.environment) as url:
        yield Guarded(url, own, admin, team, bound)


@pytest.fixture(autouse=True)
def upstream(server: Provider) -> Provider:
    server.script()
    return server
