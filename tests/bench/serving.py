"""What answering costs besides the model: ours in process and over HTTP, beside its bare parts, and beside LangChain and LlamaIndex.

Knows clients, clocks and who is measured. Knows nothing of how a request is answered. Two cores are shared by all, the provider and the
clients too, so figures are only to be compared within a run.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import aiohttp
import httpx
from rich.console import Console
from rich.table import Table

from rag.embedders.batching import Batching
from rag.embedders.onnx import OnnxEmbedder
from rag.llms.litellm import library
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel
from rag.types import Passage
from tests.bench import corpus
from tests.bench.clock import Load, loaded, median_ms
from tests.bench.peers import PEERS
from tests.bench.upstream import ANSWER, ROOT, upstream
from tests.servers.groundwire import served

PEERS_PYTHON = ROOT / ".venv-peers" / "bin" / "python"
TORCH = ROOT / ".venv-torch" / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
"""Goes before the peers' own packages: torch wants an older numpy."""
VARIANT = """
[prompts]
answer = "answer@2"

[llm]
model = "openai/gpt-4.1-mini"
max_tokens = 160

[retriever]
top_k = 3
context_tokens = 600
abstain = false

[release]
policy = "quote"
gate = "sentence"
uncertain = "withhold"
"""
"""The shipped one, but for the model."""
TOP_K = 3
ROUNDS = 3
"""Of all, in turn; the median is told."""
LOADS = {1: 100, 32: 400}
"""Requests, by the number of clients that ask them."""
QUESTIONS = corpus.questions(200)

Ask = Callable[[str], Awaitable[object]]
Found = dict[str, dict[int, list[Load]]]


def serving(folder: Path, settings: Settings, console: Console) -> None:
    """Over the collection `bench` of a home."""
    variants = folder / "variants"
    variants.mkdir(parents=True)
    (variants / "default.toml").write_text(VARIANT)
    settings = settings.model_copy(update={"variants": variants})
    found: Found = defaultdict(lambda: defaultdict(list))
    with upstream(0.0) as provider:
        keys = {"OPENAI_BASE_URL": f"{provider.url}/v1", "OPENAI_API_KEY": "sk-bench"}
        os.environ.update(keys)
        for _ in range(ROUNDS):
            parts = asyncio.run(in_process(settings, provider.url, found))
            for workers in (1, 2):
                with served(settings, "--collection", "bench", "--workers", str(workers), environment=keys) as url:
                    asyncio.run(over_http(url, f"ours over HTTP, {workers} process{'es' * (workers > 1)}", found))
            if PEERS_PYTHON.exists():
                beside(settings, provider.url, found)
    told(parts, found, console)
    asyncio.run(batches(console))


async def in_process(settings: Settings, url: str, found: Found) -> dict[str, float]:
    """The bare parts alone, one after another; then a program of nothing else, and ours."""
    with Runtime(settings) as runtime:
        pipeline = await runtime.pipeline(runtime.variant("default"), "bench")
        shown: dict[str, tuple[Passage, ...]] = {}

        async def ours(question: str) -> None:
            shown[question] = (await pipeline.answer(question, Channel.CHAT)).passages

        await loaded(ours, QUESTIONS, 8, len(QUESTIONS))
        index, validator = pipeline.retriever.index, pipeline.validator
        with sqlite3.connect(runtime.settings.home / "bare.db", check_same_thread=False) as ledger:
            ledger.execute("PRAGMA journal_mode=WAL")
            ledger.execute("PRAGMA synchronous=FULL")
            ledger.execute("CREATE TABLE IF NOT EXISTS traces (body TEXT)")
            row, writing = "x" * 8000, asyncio.Lock()

            def commit(_: str) -> None:
                ledger.execute("INSERT INTO traces VALUES (?)", (row,))
                ledger.commit()

            def call(_: str) -> None:
                session.post(f"{url}/v1/chat/completions", json=asked).raise_for_status()

            async with aiohttp.ClientSession() as client:

                async def bare(question: str) -> None:
                    vector = (await asyncio.to_thread(pipeline.retriever.embedder.embed, [question]))[0]
                    await asyncio.to_thread(index.dense, vector, TOP_K, {})
                    await asyncio.to_thread(index.lexical, question, TOP_K, {})
                    async with client.post(f"{url}/v1/chat/completions", json=asked) as response:
                        await response.read()
                    await asyncio.to_thread(validator.validate, question, ANSWER, shown[question])
                    async with writing:
                        await asyncio.to_thread(commit, question)

                asked = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": "word " * 500}]}
                vectors = {question: pipeline.retriever.embed(question) for question in QUESTIONS}
                with httpx.Client() as session:
                    parts = {
                        "embed": median_ms(pipeline.retriever.embed, QUESTIONS),
                        "FAISS search": median_ms(lambda question: index.dense(vectors[question], TOP_K, {}), QUESTIONS),
                        "tantivy search": median_ms(lambda question: index.lexical(question, TOP_K, {}), QUESTIONS),
                        "call by plain HTTP": median_ms(call, QUESTIONS),
                        "validate": median_ms(lambda question: validator.validate(question, ANSWER, shown[question]), QUESTIONS),
                        "commit": median_ms(commit, QUESTIONS),
                    }
                parts["the same call by litellm"] = await called(asked["messages"])
                await measure("the bare parts", bare, found)
                await measure("ours in process", ours, found)
        await runtime.router.close()
        return parts


async def called(messages: object) -> float:
    """Median ms of a call as a program without us makes it, streamed and read to its end; litellm is set up as it is for ours."""
    spent = []
    for _ in QUESTIONS:
        began = time.perf_counter()
        async for _ in await library().acompletion(model="openai/gpt-4.1-mini", messages=messages, stream=True):
            pass
        spent.append((time.perf_counter() - began) * 1000)
    return median(spent)


async def over_http(url: str, name: str, found: Found) -> None:
    """As a client sees a server, JSON and streamed."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        for stream in (False, True):

            async def ask(question: str, stream: bool = stream) -> None:
                async with client.post(f"{url}/chat", json={"question": question, "stream": stream}) as response:
                    response.raise_for_status()
                    await response.read()

            await loaded(ask, QUESTIONS, 8, len(QUESTIONS))
            await measure(f"{name}{', streamed' * stream}", ask, found)


async def measure(name: str, ask: Ask, found: Found) -> None:
    for clients, total in LOADS.items():
        found[name][clients].append(await loaded(ask, QUESTIONS, clients, total))


def beside(settings: Settings, url: str, found: Found) -> None:
    """The others, each in a process of its own."""
    (generation,) = (Path(settings.index_place) / "bench").iterdir()
    with sqlite3.connect(generation / "passages.db") as passages:
        rows = passages.execute("SELECT chunk FROM passages ORDER BY position").fetchall()
    task: dict[str, Any] = {
        "texts": [json.loads(chunk)["text"] for (chunk,) in rows],
        "index": str(generation / "vectors.faiss"),
        "url": f"{url}/v1",
        "k": TOP_K,
        "questions": QUESTIONS,
        "answer": ANSWER[:20],
        "loads": LOADS,
    }
    for name in PEERS:
        paths = [ROOT, *([TORCH] if name.endswith("-torch") else [])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "HF_HUB_OFFLINE": "1"}
        command = [str(PEERS_PYTHON), "-W", "ignore", "-m", "tests.bench.peers", name]
        done = subprocess.run(
            command, input=json.dumps(task), capture_output=True, text=True, check=True, env=environment, cwd=ROOT
        )
        for clients, seen in json.loads(done.stdout.splitlines()[-1]).items():
            found[name][int(clients)].append(Load(**seen))


def told(parts: dict[str, float], found: Found, console: Console) -> None:
    table = Table("", *(f"{clients} clients: {what}" for clients in LOADS for what in ("p50 ms", "p95 ms", "a second")))
    table.title = f"A request over 10,000 chunks, a model that answers at once; the median of {ROUNDS} rounds"
    middle = {
        name: {clients: Load(*map(median, zip(*rounds, strict=True))) for clients, rounds in loads.items()}
        for name, loads in found.items()
    }
    for name, loads in middle.items():
        cells = (f"{figure:.1f}" for load in loads.values() for figure in (load.p50_ms, load.p95_ms, load.a_second))
        table.add_row(name, *cells)
    console.print(table)
    by_litellm = parts.pop("the same call by litellm")
    console.print("bare parts one after another: " + ", ".join(f"{name} {ms:.2f} ms" for name, ms in parts.items()))
    alone = sum(parts.values())
    through = alone - parts["call by plain HTTP"] + by_litellm
    console.print(f"their sum: {alone:.1f} ms; {through:.1f} with the call made through litellm, {by_litellm:.1f} ms")
    for name, loads in middle.items():
        if not name.startswith("ours"):
            continue
        ratios = [
            f"{loads[1].p50_ms / alone:.2f} of the parts' sum at 1 client, {loads[1].p50_ms / through:.2f} of that through litellm"
        ]
        ratios += [f"{loads[32].p50_ms / middle['the bare parts'][32].p50_ms:.2f} of theirs at 32"]
        ratios += [
            f"{loads[32].a_second / middle[peer][32].a_second:.1f}x {peer}'s requests a second"
            for peer in PEERS
            if peer in middle
        ]
        console.print(f"{name}: {', '.join(ratios)}")


async def batches(console: Console) -> None:
    """Questions embedded one by one, and those that come at the same time together; in turn."""
    embedder = OnnxEmbedder()
    together = Batching(embedder).embed

    async def alone(question: str) -> None:
        await asyncio.to_thread(embedder.embed, [question])

    asks: dict[str, Ask] = {"alone": alone, "together": together}
    table = Table("clients", "", "p50 ms", "p95 ms", "a second", title=f"Embedding questions; the median of {ROUNDS} rounds")
    for clients in (1, 8, 32):
        seen: dict[str, list[Load]] = {name: [] for name in asks}
        for _ in range(ROUNDS):
            for name, ask in asks.items():
                seen[name].append(await loaded(ask, QUESTIONS, clients, 400))
        for name, loads in seen.items():
            load = Load(*map(median, zip(*loads, strict=True)))
            table.add_row(str(clients), name, f"{load.p50_ms:.1f}", f"{load.p95_ms:.1f}", f"{load.a_second:.0f}")
    console.print(table)
