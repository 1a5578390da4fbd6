"""A server is ready while it can keep a record of what it answers, and says nothing of what is wrong to strangers."""

import asyncio
import sqlite3
import time
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from fastapi import Request

from api import health
from api.problem import UnreadyError
from rag.ingest.ingest import ingest
from rag.runtime import Runtime
from rag.settings import Settings
from tests.conftest import PAGES
from tests.servers.groundwire import served


def test_a_ledger_that_takes_no_rows_is_not_ready(tmp_path: Path) -> None:
    """As on a full disk: the processes say that they live by a row."""
    for name, text in PAGES.items():
        (tmp_path / name).write_text(text)
    settings = Settings(home=tmp_path / "home", ledger=None, embedder="hash")
    with Runtime(settings) as runtime:
        ingest([str(tmp_path / name) for name in PAGES], "shop", runtime)
    with served(settings, "--collection", "shop", "--variant", "extractive") as url:
        assert httpx.get(f"{url}/readyz").json() == {"status": "ok"}
        ledger = sqlite3.connect(settings.home / "ledger.db")
        ledger.execute("CREATE TRIGGER full BEFORE UPDATE ON processes BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
        ledger.commit()
        ledger.execute("CREATE TRIGGER full_too BEFORE INSERT ON processes BEGIN SELECT RAISE(FAIL, 'disk is full'); END")
        ledger.commit()
        while (unready := httpx.get(f"{url}/readyz")).status_code == 200:
            time.sleep(0.1)
        assert unready.status_code == 503
        assert unready.json()["title"] == "the server cannot answer questions at present"
        assert "shop" not in unready.text
        assert "ledger" not in unready.text
        for trigger in ("full", "full_too"):
            ledger.execute(f"DROP TRIGGER {trigger}")
        ledger.commit()
        ledger.close()
        assert httpx.get(f"{url}/readyz").status_code == 200


@pytest.mark.anyio
async def test_a_ledger_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away is given up after many seconds; whoever asks has long gone by then."""
    monkeypatch.setattr(health, "READY_SECONDS", 0.05)
    written: Future[None] = Future()
    gateway = SimpleNamespace(runtime=SimpleNamespace(writer=SimpleNamespace(announce=lambda: written)))
    app = SimpleNamespace(state=SimpleNamespace(draining=SimpleNamespace(begun=False), gateway=gateway))
    with pytest.raises(UnreadyError):
        await asyncio.wait_for(health.get_readiness(Request({"type": "http", "app": app})), 5)
