"""`local/smollm2`: a small model on this machine, served by llama.cpp in a child process and called over HTTP like any other.

Knows how that server starts: on first use, once for this process, which it never outlives.
"""

import asyncio
import functools
import importlib.util
import json
import os
import secrets
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

from rag import weights
from rag.child import ChildError, ChildProcess
from rag.errors import GroundwireError, UpstreamError
from rag.llms.base import Completion, Request, Usage
from rag.llms.litellm import LiteLLM, close_connections

NAME = "local/smollm2"
ALIAS = "smollm2"
CONTEXT = 4096
"""Tokens of one conversation; the model was trained on 8192."""
SLOTS = 2
PROMPT_THREADS = 2
ANSWER_THREADS = 1
"""A second thread doubles the speed of reading a prompt; writing is bound by memory bandwidth, and gains nothing."""


ONCE = {"Connection": "close"}
"""The server closes each connection after its answer, and a reused one might be closed already."""


class Address(NamedTuple):
    """Where a llama.cpp server listens, and the key it asks for."""

    url: str
    key: str


class LlamaServer:
    """A llama.cpp server for one GGUF file, in a child process. Safe to call from several threads."""

    def __init__(self, model: Path) -> None:
        self._model = model
        self._starting = threading.Lock()
        self._child = ChildProcess(__name__)
        self._address: Address | None = None

    @property
    def pid(self) -> int | None:
        """The id of the child process; None if none runs."""
        return self._child.pid

    def address(self) -> Address:
        """The address of the server, which is started if it does not run. Raises `UpstreamError` if it cannot start."""
        with self._starting:
            if self._address is None or self.pid is None:
                self._address = self._start()
            return self._address

    def _start(self) -> Address:
        key = secrets.token_urlsafe(24)
        try:
            return Address(self._child.start(json.dumps({"weights": str(self._model), "key": key})), key)
        except ChildError as error:
            raise UpstreamError.unavailable(
                f"the llama.cpp server for {self._model.name} did not start ({error})",
                "pip install --force-reinstall 'groundwire[local]'",
            ) from error

    def stop(self) -> None:
        """End the child, if there is one."""
        self._address = None
        self._child.stop()


class SmolLM2:
    """The model through its server. It is free."""

    def __init__(self, server: LlamaServer) -> None:
        self._server = server

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """See `rag.llms.base.LLM`."""
        address = await asyncio.to_thread(self._server.address)
        llm = LiteLLM(NAME, route=f"openai/{ALIAS}", base_url=f"{address.url}/v1", key=address.key, headers=ONCE)
        async with aclosing(llm.stream(request)) as pieces:
            async for piece in pieces:
                yield piece if isinstance(piece, str) else piece.model_copy(update={"model": NAME, "cost_nanodollars": 0})

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `rag.llms.base.LLM`; the server has the tokenizer."""
        import httpx

        address = await asyncio.to_thread(self._server.address)
        headers = {"authorization": f"Bearer {address.key}"}
        async with httpx.AsyncClient(base_url=address.url, headers=headers, verify=False) as client:  # noqa: S501 - plain HTTP
            try:
                answers = await asyncio.gather(*(client.post("/tokenize", json={"content": text}) for text in texts))
                return [len(answer.raise_for_status().json()["tokens"]) for answer in answers]
            except httpx.HTTPError as error:
                raise UpstreamError(
                    f"the tokenizer of {NAME} failed: {error!r}", "try again", retryable=True, billed=False
                ) from error

    def window(self) -> int:
        """The context of one slot of the server."""
        return CONTEXT

    def cost(self, usage: Usage) -> int:
        """See `rag.llms.base.LLM`; it is free."""
        return 0

    def estimate(self, request: Request, text: str) -> Usage:
        """See `rag.llms.base.LLM`; it is free."""
        return Usage()

    async def close(self) -> None:
        """End the server; the next call starts it again."""
        await close_connections()
        await asyncio.to_thread(self._server.stop)


@functools.cache
def smollm2() -> SmolLM2:
    """The model of this process. Raises `UpstreamError` if the extra or the weights are not installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        raise UpstreamError.unavailable(f"{NAME} needs llama.cpp, which is not installed", "pip install 'groundwire[local]'")
    try:
        return SmolLM2(LlamaServer(weights.locate(weights.SMOLLM2)))
    except GroundwireError as error:
        raise UpstreamError.unavailable(error.problem, error.mend) from error


def serve() -> None:
    """The child's entry point: serve until stdin is closed, which also happens when the parent ends."""
    import xllamacpp  # type: ignore[import-untyped, import-not-found, unused-ignore]

    task = json.loads(sys.stdin.readline())
    # The parent reads the address from stdout; what llama.cpp prints goes to stderr.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = task["weights"]
    parameters.model_alias = {ALIAS}
    parameters.api_keys = [task["key"]]
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = 0
    parameters.ui = False
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT
    parameters.cpuparams.n_threads = ANSWER_THREADS
    parameters.cpuparams_batch.n_threads = PROMPT_THREADS
    parameters.cpuparams.poll = parameters.cpuparams_batch.poll = 0
    parameters.cache_ram_mib = 0
    server = xllamacpp.Server(parameters)
    print(server.listening_address, file=answer, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    serve()
