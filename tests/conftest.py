"""What every test stands on: no hub, no provider but one on loopback, asyncio, and a small collection."""

import importlib.util
import os
from collections.abc import AsyncIterator, Iterator

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from rag.ingest.ingest import ingest
from rag.llms.litellm import LiteLLM
from rag.llms.local import smollm2
from rag.runtime import Runtime
from rag.settings import Settings
from tests.servers.provider import Provider

PAGES = {
    "kettles.md": """# Kettles

## Warranty

Kettles are covered for 24 months from the date of purchase. The warranty does not cover limescale.

## Cleaning

Descale the kettle once a month with citric acid. Never put the kettle into a dishwasher.
""",
    "returns.md": """# Returns

Unused goods can be returned within 30 days. The shop pays the postage for goods that arrived broken.
""",
    "hours.md": """# Opening hours

The shop in Leeds is open from 9 to 17 on weekdays and closed on Sundays.
""",
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def server() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture
async def provider(server: Provider, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    """Both SDKs are pointed at it. Connections belong to the event loop of one test, so they are closed after it."""
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.script()
    yield server
    await LiteLLM().close()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a home with one collection, `shop`, of three short pages."""
    folder = tmp_path_factory.mktemp("shop")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    settings = Settings(home=folder / "home")
    with Runtime(settings) as runtime:
        ingest([str(folder / name) for name in PAGES], "shop", runtime)
    return settings


@pytest.fixture
def runtime(shop: Settings) -> Iterator[Runtime]:
    with Runtime(shop) as opened:
        yield opened


@pytest.fixture
def without_llama(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the extra `local` is not installed."""
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "xllamacpp" else found(name))
    smollm2.cache_clear()
