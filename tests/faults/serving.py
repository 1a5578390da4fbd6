"""A shop that is served, and clients that can leave: what the tests of the server's faults share."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from rag.ingest.ingest import ingest
from rag.llms.litellm import library
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Trace
from tests.conftest import PAGES
from tests.servers.provider import Bill

Mode = Literal["chat", "chat-stream", "openai", "openai-stream"]
MODES: tuple[Mode, ...] = ("chat", "chat-stream", "openai", "openai-stream")


def shop(folder: Path, variants: dict[str, str], ledger: str | None = None) -> Settings:
    """A home with the collection `shop`, embedded without a model, and these variants, each a TOML text by its name."""
    for name, text in PAGES.items():
        (folder / name).write_text(text)
    (folder / "variants").mkdir()
    for name, text in variants.items():
        (folder / "variants" / f"{name}.toml").write_text(text)
    settings = Settings(home=folder / "home", ledger=ledger, variants=folder / "variants", embedder="hash")
    with Runtime(settings) as runtime:
        ingest([str(folder / name) for name in PAGES], "shop", runtime)
    return settings


def asked(mode: Mode, question: str, model: str = "default") -> tuple[str, dict[str, Any]]:
    """Path and body of a request."""
    stream = mode.endswith("-stream")
    if mode.startswith("chat"):
        return "/chat", {"question": question, "variant": model, "stream": stream}
    return "/v1/chat/completions", {"model": model, "stream": stream, "messages": [{"role": "user", "content": question}]}


@dataclass
class Received:
    """What came back on a connection of its own. `status` is 0 where nothing did."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0

    @property
    def trace_id(self) -> str:
        return self.headers["x-groundwire-trace"]


async def post(url: str, path: str, body: dict[str, Any], *, key: str | None = None) -> Received:
    """One request by plain sockets, read to its end. Cancelled, it hangs up."""
    place = urlsplit(url)
    clock = asyncio.get_running_loop().time
    began = clock()
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    try:
        sent = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", f"Host: {place.netloc}", "Content-Type: application/json", "Connection: close"]
        lines += [f"Content-Length: {len(sent)}", *([f"Authorization: Bearer {key}"] if key else [])]
        writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + sent)
        head, _, received = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if not head:
        return Received(seconds=clock() - began)
    first, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in fields)}
    return Received(int(first.split()[1]), headers, received, clock() - began)


def traces(runtime: Runtime, questions: Iterable[str] | None = None) -> list[Trace]:
    """Those of the questions, or all; no id twice."""
    found = runtime.traces.latest(100_000)
    assert max(Counter(trace.id for trace in found).values(), default=1) == 1
    wanted = None if questions is None else set(questions)
    return [trace for trace in found if wanted is None or trace.question in wanted]


def nanodollars(ledger: Iterable[Bill]) -> int:
    """What a provider charged, by litellm's map and nothing of ours. Raises where the map has no price."""
    total = Fraction(0)
    for bill in ledger:
        price = library().model_cost[bill.model]
        total += (bill.prompt - bill.cached) * Fraction(str(price["input_cost_per_token"]))
        total += bill.cached * Fraction(str(price["cache_read_input_token_cost"]))
        total += bill.completion * Fraction(str(price["output_cost_per_token"]))
    exact = total * 10**9
    assert exact.denominator == 1
    return int(exact)
