"""What every test stands on: no hub, no provider but one on loopback, asyncio, a ledger, and a small collection."""

import importlib.util
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

from rag.ingest.ingest import ingest
from rag.llms.litellm import close_connections
from rag.llms.local import smollm2
from rag.runtime import Runtime
from rag.settings import Settings
from tests.servers.postgres import NEEDED, Postgres, binaries
from tests.servers.provider import Provider
from tests.servers.weaviate import Cluster, running, somewhere

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
    """Both SDKs are pointed at it. Connections belong to the event loop of one test, so they are closed after it, and its last calls
    are not taken for the first of the next one.
    """
    for name in [name for name in os.environ if name.startswith(("OPENAI_", "ANTHROPIC_"))]:
        monkeypatch.delenv(name)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.script()
    yield server
    server.let_go()
    await close_connections()
    await server.settled()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    if binaries() is None:
        pytest.skip(NEEDED)
    with Postgres() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of an empty ledger: every test that asks for it runs on both databases."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    url = server.ledger()
    yield url
    server.drop(url)


@pytest.fixture(scope="session")
def new_ledger(request: pytest.FixtureRequest) -> Callable[[], str | None]:
    """What `Settings.ledger` is where a whole installation is tested: SQLite in the home, or with `GROUNDWIRE_TEST_LEDGER=postgresql`
    a database.
    """
    if os.environ.get("GROUNDWIRE_TEST_LEDGER") != "postgresql":
        return lambda: None
    server: Postgres = request.getfixturevalue("postgres")
    return server.ledger


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory, new_ledger: Callable[[], str | None]) -> Settings:
    """Settings of a home with one collection, `shop`, of three short pages."""
    folder = tmp_path_factory.mktemp("shop")
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    settings = Settings(home=folder / "home", ledger=new_ledger())
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


@pytest.fixture(scope="session")
def weaviate() -> Iterator[str]:
    """The place of a Weaviate that lets anybody in; shared, so each test takes an `installation` of its own."""
    with somewhere() as place:
        yield place


@pytest.fixture(scope="session")
def guarded_weaviate() -> Iterator[tuple[str, str]]:
    """The place of one that wants an API key, and the key."""
    key = "a-key-of-the-tests"
    with running(key=key) as cluster:
        yield cluster.place, key


@pytest.fixture(scope="session")
def weaviate_cluster() -> Iterator[Cluster]:
    """Three nodes: whoever kills one starts it again."""
    with running(3) as cluster:
        yield cluster
