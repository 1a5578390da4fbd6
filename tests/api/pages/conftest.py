"""A server whose answers arrive sentence by sentence, and people who look at its pages."""

import shutil
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from rag.settings import Settings
from tests.api.conftest import Guarded, with_variants
from tests.api.pages.browser import Open
from tests.servers.groundwire import served
from tests.servers.provider import Provider

VARIANTS = {
    "default": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n[release]\npolicy = "quote"\ngate = "sentence"\n',
    "flagging": '[llm]\nmodel = "openai/gpt-4.1-mini"\nattempts = 1\n[release]\npolicy = "flag"\n',
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for all; closed with the module, for its event loop would be in the way of other tests."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium on the PATH")
    expect.set_options(timeout=15_000)
    playing: Playwright
    with sync_playwright() as playing, playing.chromium.launch(executable_path=found, args=["--no-sandbox"]) as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser) -> Iterator[Open]:
    """Opens an address in a window of its own; no page may have asked for what it may not, or failed."""
    problems: list[str] = []
    contexts = []

    def opened(address: str, **options: object) -> Page:
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if "Content Security" in message.text else None)
        page.goto(address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
