"""One path: the same question by any door is sent byte for byte the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx

from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Trace
from tests.servers.provider import Provider

QUESTION = "How long is the warranty on a kettle?"
DOOR = {"id", "created_at", "channel", "stages", "first_token_ms", "total_ms", "attempts"}
"""What may differ: which request it was, by which door, and how long it took."""


def same(trace: Trace) -> str:
    return trace.model_dump_json(exclude=DOOR)


def test_terminal_and_both_endpoints_leave_equal_traces(
    url: str, upstream: Provider, settings: Settings, runtime: Runtime
) -> None:
    environment = {
        **os.environ,
        **upstream.environment,
        "GROUNDWIRE_HOME": str(settings.home),
        "GROUNDWIRE_LEDGER": settings.ledger_url,
        "GROUNDWIRE_VARIANTS": str(settings.variants),
    }
    command = [str(Path(sys.executable).parent / "rag"), "ask", QUESTION, "--collection", "shop", "--json"]
    asked = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    chat = httpx.post(f"{url}/chat", json={"question": QUESTION}).json()
    body = {"model": "default", "messages": [{"role": "user", "content": QUESTION}]}
    completion = httpx.post(f"{url}/v1/chat/completions", json=body).json()
    traces = [runtime.traces.get(id) for id in (asked["id"], chat["trace_id"], completion["groundwire"]["trace_id"])]
    assert len({same(trace) for trace in traces}) == 1
    assert len({json.dumps(call.body, sort_keys=True) for call in upstream.calls}) == 1
    assert len(upstream.calls) == 3
