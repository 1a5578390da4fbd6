"""Measures everything that the guide's page on performance tells, and prints it as tables."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import faiss
from rich.console import Console
from rich.table import Table

from rag.bars import watched
from rag.ingest.ingest import ingest
from rag.llms.base import Completion, Request, Usage
from rag.llms.litellm import library
from rag.llms.router import Router
from rag.pipeline import Pipeline
from rag.runtime import Runtime
from rag.settings import Settings
from rag.trace import Channel, Trace
from rag.variant import Model, Retrieval, Variant
from tests.bench import corpus
from tests.bench.clock import median_ms
from tests.bench.evaluation import evaluation
from tests.bench.serving import serving
from tests.bench.stores import stores
from tests.servers.groundwire import served

ROOT = Path(__file__).parents[2]
TORCH = ROOT / ".venv-torch" / "bin" / "python"
REQUESTS = 200
WARM = 20
ANSWER = "A trace is the record of one request. It keeps the passages, the claims and the cost [1]."


class Mocked:
    """litellm with its own mocked upstream: everything of a call but the wire."""

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        async for piece in await mocked_call([message.model_dump() for message in request.messages]):
            if piece.choices[0].delta.content:
                yield piece.choices[0].delta.content
        yield Completion(model="mocked", usage=Usage(prompt=500, completion=20), cost_nanodollars=0, finish_reason="stop")

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        from rag.llms import tokens

        return tokens.count("openai", "gpt-4.1-mini", texts)

    def window(self) -> int:
        return 100_000

    def cost(self, usage: Usage) -> int:
        return 0

    def estimate(self, request: Request, text: str) -> Usage:
        return Usage()

    async def close(self) -> None:
        pass


async def mocked_call(messages: list[dict[str, str]]) -> Any:
    return await library().acompletion(model="openai/gpt-4.1-mini", messages=messages, mock_response=ANSWER, stream=True)


async def drained_call(messages: list[dict[str, str]]) -> None:
    async for _ in await mocked_call(messages):
        pass


async def requests(pipeline: Pipeline) -> list[Trace]:
    return [await pipeline.answer(question, Channel.EVALS) for question in corpus.questions(REQUESTS)][WARM:]


async def bare(runtime: Runtime, pipeline: Pipeline, messages: list[dict[str, str]]) -> dict[str, tuple[str, float]]:
    """The three parts alone, one after another for each question, as a program without anything else would call them."""
    index = faiss.read_index(
        str(Path(runtime.settings.index_place) / "bench" / pipeline.retriever.index.generation.id / "vectors.faiss")
    )
    spent: list[list[float]] = []
    for question in corpus.questions(REQUESTS):
        times = [time.perf_counter()]
        vector = pipeline.retriever.embed(question)
        times.append(time.perf_counter())
        index.search(vector[None], 10)
        times.append(time.perf_counter())
        await drained_call(messages)
        times.append(time.perf_counter())
        spent.append([(after - before) * 1000 for before, after in pairwise(times)])
    parts = ("embed", "the embedder alone"), ("retrieve", "FAISS alone"), ("generate", "litellm alone, mocked")
    return {stage: (name, median(ms)) for (stage, name), ms in zip(parts, zip(*spent[WARM:], strict=True), strict=True)}


async def stages(runtime: Runtime, console: Console) -> None:
    """A whole request over 10,000 chunks beside its bare parts, in turn in the same run."""
    runtime.router = Router(lambda model: Mocked())
    variant = Variant(name="bench", llm=Model(model="openai/gpt-4.1-mini"), retriever=Retrieval(abstain=False))
    pipeline = await runtime.pipeline(variant, "bench")
    traces = await requests(pipeline)
    parts = await bare(runtime, pipeline, [message.model_dump() for message in traces[0].messages])
    traces = await requests(pipeline)
    table = Table("stage", "ms", "bare part", "ms", title="A request over 10,000 chunks, p50")
    for stage in traces[0].stages:
        name, ms = parts.get(stage, ("", 0.0))
        table.add_row(stage, f"{median(t.stages[stage] for t in traces):.2f}", name, f"{ms:.2f}" if name else "")
    whole, alone = median(t.total_ms or 0.0 for t in traces), sum(ms for _, ms in parts.values())
    began = time.perf_counter()
    await requests(pipeline)
    each = (time.perf_counter() - began) * 1000 / REQUESTS
    table.add_row("whole", f"{whole:.2f}", "sum", f"{alone:.2f}")
    console.print(table, f"whole / sum of the bare parts: {whole / alone:.2f}; with both rows committed: {each:.2f} ms a request")


def embedders(console: Console) -> None:
    """onnx beside sentence-transformers on torch, in turn, each in a process of its own."""
    passages = [json.loads(line)["text"] for line in (SCRATCH / "corpus.jsonl").read_text().splitlines()[:200]]
    texts = json.dumps({"queries": corpus.questions(100), "passages": passages})
    found: dict[str, list[dict[str, float]]] = {"onnx": [], "sentence-transformers:all-MiniLM-L6-v2": []}
    for _ in range(3):
        for (name, figures), python in zip(found.items(), (sys.executable, str(TORCH)), strict=True):
            command = [python, "-m", "tests.bench.embedding", name]
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
            done = subprocess.run(command, input=texts, capture_output=True, text=True, check=True, env=environment, cwd=ROOT)
            figures.append(json.loads(done.stdout))
    table = Table("embedder", "ms a query", "passages a second", title="Embedding, best of 3 runs in turn")
    best = [(min(f["query_ms"] for f in figures), max(f["passages_per_second"] for f in figures)) for figures in found.values()]
    for name, (query, rate) in zip(found, best, strict=True):
        table.add_row(name, f"{query:.2f}", f"{rate:.0f}")
    (query, rate), (torch_query, torch_rate) = best
    console.print(table, f"onnx is {torch_query / query:.1f}x as fast a query, {rate / torch_rate:.1f}x a passage")


def processes(settings: Settings, console: Console) -> None:
    """What people wait for, and what a server keeps."""
    rag = str(Path(sys.executable).parent / "rag")
    helps = median_ms(lambda command: subprocess.run(command, capture_output=True, check=True), [[rag, "--help"]] * 15)
    with served(settings, "--collection", "bench", "--variant", "extractive") as url:
        import httpx

        httpx.post(f"{url}/chat", json={"question": "What is a trace?"}).raise_for_status()
        pids = subprocess.run(
            ["pgrep", "-f", f"port {url.rpartition(':')[2]}"], capture_output=True, text=True, check=True
        ).stdout
        status = Path(f"/proc/{pids.split()[0]}/status").read_text()
    resident = next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))
    console.print(
        f"`rag --help`: {helps:.0f} ms; `api serve` over 10,000 chunks, after a first answer: {resident:.0f} MB resident"
    )


def main() -> None:
    console = Console()
    settings = Settings(home=SCRATCH / "home")
    corpus.write(SCRATCH / "corpus.jsonl")
    with Runtime(settings) as runtime:
        with watched() as progress:
            first = ingest([str(SCRATCH / "corpus.jsonl")], "bench", runtime, progress=progress).seconds
        second = ingest([str(SCRATCH / "corpus.jsonl")], "bench", runtime).seconds
        console.print(f"ingest of 10,000 chunks: first {first:.1f} s, again {second:.3f} s, {first / second:.0f}x as fast")
        asyncio.run(stages(runtime, console))
    processes(settings, console)
    serving(SCRATCH / "serving", settings, console)
    evaluation(SCRATCH / "evaluation", console)
    if "WEAVIATE_BIN" in os.environ:
        stores(console)
    if TORCH.exists():
        embedders(console)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        SCRATCH = Path(scratch)
        main()
