"""What operators read: each line with its time, level and trace, and no line that a caller made up."""

import logging
import logging.config
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.logs import configuration, trace_id
from rag.settings import Settings
from tests.api.conftest import Guarded
from tests.servers.groundwire import running
from tests.servers.provider import Provider

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \d+ \S+ .+")


@pytest.fixture
def configured() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in configuration(access=False)["loggers"]]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    logging.config.dictConfig(configuration(access=False))
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate


def test_a_line_has_its_time_level_process_and_trace(configured: None, capsys: pytest.CaptureFixture[str]) -> None:
    logging.config.dictConfig(configuration(access=False))
    token = trace_id.set("01a2")
    logging.getLogger("groundwire").warning("what %s said", "the caller\x1b[2J")
    trace_id.reset(token)
    (line,) = capsys.readouterr().err.splitlines()
    assert LINE.fullmatch(line)
    assert line.endswith(f" WARNING {os.getpid()} 01a2 what the caller[2J said")


@pytest.mark.parametrize("broken", ["\n", "\u2028", "\u2029", "\r\n"])
def test_what_a_caller_sends_begins_no_line(configured: None, capsys: pytest.CaptureFixture[str], broken: str) -> None:
    logging.config.dictConfig(configuration(access=False))
    logging.getLogger("groundwire").warning("%s is refused", f"/v1/models/x{broken}2026-01-01T00:00:00.000Z ERROR 1 - forged")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("/v1/models/x 2026-01-01T00:00:00.000Z ERROR 1 - forged is refused")


@pytest.mark.parametrize("path", ["/chat", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [False, True])
def test_the_line_of_an_answer_has_its_trace(guarded: Guarded, path: str, stream: bool) -> None:
    asked = (
        {"question": "How long?"}
        if path == "/chat"
        else {"model": "extractive", "messages": [{"role": "user", "content": "How long?"}]}
    )
    with running(guarded.settings, "--collection", "shop", "--variant", "extractive", "--access-log") as started:
        answer = httpx.post(
            f"{started.url}{path}",
            json={**asked, "stream": stream},
            headers={"authorization": f"Bearer {guarded.team}"},
            timeout=30,
        )
        started.process.send_signal(signal.SIGTERM)
        assert started.process.stderr is not None
        lines = started.process.stderr.read().splitlines()
    assert answer.status_code == 200, answer.text
    (line,) = [line for line in lines if f"POST {path} HTTP" in line]
    assert line.split()[3] == answer.headers["x-groundwire-trace"]


def test_a_refused_key_is_told_and_not_shown(settings: Settings, guarded: Guarded, server: Provider) -> None:
    with running(guarded.settings, "--collection", "shop", "--variant", "extractive", "--access-log") as started:
        for key in ("gw_guess_secret", guarded.team):
            httpx.get(f"{started.url}/v1/models", headers={"authorization": f"Bearer {key}"})
        httpx.post(f"{started.url}/login", data={"key": "gw_guess_secret"})
        started.process.send_signal(signal.SIGTERM)
        assert started.process.stderr is not None
        lines = started.process.stderr.read().splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    refused = [line for line in lines if "not known" in line]
    assert [line.split(" - ")[1].split(":")[0] for line in refused] == [
        "GET /v1/models from 127.0.0.1",
        "POST /login from 127.0.0.1",
    ]
    assert [line.rpartition(" ")[2] for line in lines if "GET /v1/models HTTP" in line] == ["401", "200"]
    assert not any("secret" in line or guarded.team in line for line in lines)


def test_a_worker_that_died_is_told(guarded: Guarded) -> None:
    with running(guarded.settings, "--collection", "shop", "--variant", "extractive", "--workers", "2") as started:
        *_, killed = map(int, Path(f"/proc/{started.process.pid}/task/{started.process.pid}/children").read_text().split())
        os.kill(killed, signal.SIGKILL)
        assert started.process.stderr is not None
        told = [started.process.stderr.readline()]
        while f"Child process [{killed}] died" not in told[-1]:
            told.append(started.process.stderr.readline())
            assert told[-1]
    assert all(LINE.fullmatch(line.rstrip()) for line in told), told
