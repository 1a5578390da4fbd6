"""`GET /metrics` of one process, and of several that count together."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from api.access.keys import Keys
from api.problem import problem
from api.telemetry import SHARED, exposition
from rag.errors import GroundwireError
from rag.ledger.database import connect

ROOT = Path(__file__).parents[3]
WORKER = """
import sys, time
from api.telemetry import metrics
metrics.rejected("busy")
metrics.UNDER_WAY.inc()
print("counted", flush=True)
time.sleep(60)
"""
READER = """
from prometheus_client import generate_latest
from api.telemetry import exposition
print(generate_latest(exposition._registry()).decode())
"""


def told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, GroundwireError)
    return problem(error)


@pytest.fixture
def client(ledger_url: str) -> Iterator[TestClient]:
    engine = connect(ledger_url)
    app = FastAPI()
    app.state.keys = Keys(engine)
    app.include_router(exposition.router)
    app.add_exception_handler(GroundwireError, told)
    with TestClient(app, base_url="http://localhost") as client:
        yield client
    engine.dispose()


def keys(client: TestClient) -> Keys:
    found: Keys = client.app.state.keys  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text; version=none", "*/*"])
def test_the_text_is_prometheus_own_whatever_is_accepted(client: TestClient, accept: str) -> None:
    plain = client.get("/metrics", headers={"accept": accept})
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    names = {family.name for family in text_string_to_metric_families(plain.text)}
    assert {"groundwire_requests", "groundwire_held_seconds", "groundwire_build_info", "process_resident_memory_bytes"} <= names


def test_where_keys_exist_an_administrators_is_asked_for(client: TestClient) -> None:
    _, reader = keys(client).create("reader")
    _, admin = keys(client).create("prometheus", admin=True)
    assert client.get("/metrics").status_code == 401
    refused = client.get("/metrics", headers={"authorization": f"Bearer {reader}"})
    assert (refused.status_code, refused.json()["title"]) == (403, "the key reader may not read the metrics")
    assert client.get("/metrics", headers={"authorization": f"Bearer {admin}"}).status_code == 200


def read(environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", READER], env=environment, capture_output=True, text=True, check=True, cwd=ROOT)
    families = text_string_to_metric_families(done.stdout)
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_workers_count_together_and_a_killed_one_keeps_its_counts_but_holds_no_slot(tmp_path: Path) -> None:
    environment = {**os.environ, SHARED: str(tmp_path)}
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(2)
    ]
    try:
        for worker in workers:
            assert worker.stdout
            assert worker.stdout.readline() == "counted\n"
        both = read(environment)
        assert (both["groundwire_rejected_total"], both["groundwire_requests_under_way"]) == (2, 2)
        assert both["groundwire_build_info"] == 1
        workers[0].kill()
        workers[0].wait()
        one = read(environment)
        assert (one["groundwire_rejected_total"], one["groundwire_requests_under_way"]) == (2, 1)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
