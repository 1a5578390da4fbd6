"""Any model that litellm knows: `openai/...`, `anthropic/...` and the rest, over the provider's own wire format.

Knows litellm: how to keep it quiet, and offline until a call is made. `rag.llms.streams` reads what it streams, and
`rag.llms.failures` its errors. Keys and base URLs are read from the providers' own variables (`OPENAI_API_KEY`, `OPENAI_BASE_URL`,
`ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`, ...).
"""

import asyncio
import functools
import gc
import inspect
import logging
import os
import warnings
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rag.errors import GroundwireError, UpstreamError
from rag.llms import tokens
from rag.llms.base import Completion, Request, Usage
from rag.llms.failures import translated
from rag.llms.pricing import Price, nanodollars
from rag.llms.streams import End, read


@functools.cache
def library() -> Any:
    """litellm, silenced, without telemetry, and with the price map that it ships instead of a downloaded one. Takes seconds to import."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # OpenAI over litellm's own client, as its other providers are: a third less work a call than through OpenAI's SDK.
    os.environ.setdefault("EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER", "True")
    # The import makes half a million objects that stay. Garbage collection of them would take a quarter of the import, and slow
    # down each full collection after it.
    collecting = gc.isenabled()
    gc.disable()
    try:
        import litellm

        gc.freeze()
    finally:
        if collecting:
            gc.enable()

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with warnings.catch_warnings(action="ignore"):
        # Builds the schemas of its types now, which is slow and emits warnings, and not during the first call.
        for kind in (litellm.ModelResponse, litellm.types.utils.ModelResponseStream):
            kind()
    return litellm


class Named(NamedTuple):
    """A provider, and the provider's own name for the model."""

    model: str
    provider: str


@functools.cache
def named(model: str) -> Named:
    """The provider that litellm would call for `model`. Raises `GroundwireError` if it knows none."""
    litellm = library()
    try:
        bare, seller, *_ = litellm.get_llm_provider(model)
    except litellm.exceptions.BadRequestError:
        raise GroundwireError(f"unknown model {model!r}", "name the provider, as in openai/gpt-4.1-mini") from None
    return Named(str(bare), str(seller))


class LiteLLM:
    """A model through litellm. Without a base URL and a key of its own it uses those of the environment.

    `route` is the name that litellm calls the model by, if that is another one than `model`.
    """

    def __init__(
        self,
        model: str,
        *,
        route: str | None = None,
        base_url: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._model = model
        self._route = route or model
        self._base_url = base_url
        self._key = key
        self._headers = headers

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """See `rag.llms.base.LLM`."""
        litellm = library() if library.cache_info().currsize else await asyncio.to_thread(library)
        if self._key is None and (missing := missing_key(self._model)):
            raise UpstreamError.unavailable(f"{self._model} needs a key", f"set {missing}")
        if request.whole:
            with translated(self._model):
                response = await self._call(litellm, request)
            (choice,) = response.choices
            if choice.message.content:
                yield choice.message.content
            # litellm makes up a usage of zeros where a provider tells none; no prompt has no token.
            usage = response.usage if response.usage.prompt_tokens else None
            yield self._completion(response.model, choice.finish_reason, usage)
            return
        end = End()
        with translated(self._model):
            response = await self._call(litellm, request, stream=True, stream_options={"include_usage": True})
            try:
                async with aclosing(read(response)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, str):
                            yield piece
                        else:
                            end = piece
            finally:
                await response.aclose()
        if end.finish_reason is None:
            raise UpstreamError(
                f"{self._model} broke off in the middle of its answer", "try again, or name a fallback model", retryable=True
            )
        yield self._completion(end.model or self._model, end.finish_reason, end.usage)

    async def _call(self, litellm: Any, request: Request, **streaming: Any) -> Any:
        messages = [message.model_dump() for message in request.messages]
        return await inspect.unwrap(litellm.acompletion)(
            model=self._route,
            messages=messages,
            litellm_logging_obj=_unlogged(litellm, request, messages, streaming.get("stream_options")),
            temperature=request.temperature,
            max_tokens=request.max_tokens,
            seed=request.seed,
            stop=list(request.stop) or None,
            drop_params=True,
            num_retries=0,
            max_retries=0,
            api_base=self._base_url,
            api_key=self._key,
            extra_headers=self._headers,
            **streaming,
        )

    def _completion(self, answered_by: str, finish_reason: str, usage: Any) -> Completion:
        billed = _usage(usage)
        return Completion(
            model=answered_by,
            usage=billed or Usage(),
            cost_nanodollars=None if billed is None else _cost(self._route, answered_by, billed),
            finish_reason=finish_reason,
        )

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """See `rag.llms.base.LLM`."""

        def count() -> list[int]:
            bare, seller = named(self._model)
            return tokens.count(seller, bare, texts)

        return await asyncio.to_thread(count)

    def window(self) -> int | None:
        """See `rag.llms.base.LLM`; from the price map that litellm ships."""
        bare, seller = named(self._model)
        known = (library().model_cost.get(name) for name in (self._model, f"{seller}/{bare}", bare))
        return next((entry.get("max_input_tokens") for entry in known if entry), None)

    def cost(self, usage: Usage) -> int | None:
        """See `rag.llms.base.LLM`; from the price map that litellm ships."""
        return _cost(self._model, self._model, usage)

    def estimate(self, request: Request, text: str) -> Usage:
        """See `rag.llms.base.LLM`."""
        bare, seller = named(self._model)
        return tokens.estimate(seller, bare, request, text)

    async def close(self) -> None:
        """Close the connections of all models: litellm shares them."""
        await close_connections()


async def close_connections() -> None:
    """Close the connections that litellm keeps open; a later call opens them again."""
    if library.cache_info().currsize:
        await library().close_litellm_async_clients()
        # It keeps OpenAI's clients though they are closed, and would call through them; the others open again.
        kept = library().in_memory_llm_clients_cache.cache_dict
        for name in [name for name, client in kept.items() if getattr(client, "is_closed", bool)()]:
            del kept[name]


def _unlogged(litellm: Any, request: Request, messages: list[dict[str, Any]], stream_options: object) -> Any:
    """The logging object that `acompletion` expects from its decorators, which are bypassed here.

    They price, time and log each call, which takes half of its CPU time; the trace has all of that.
    """
    call = litellm.litellm_core_utils.litellm_logging.Logging(
        model=request.model,
        messages=messages,
        stream=not request.whole,
        call_type="acompletion",
        start_time=datetime.now(UTC),
        litellm_call_id="",
        function_id="",
    )
    call.stream_options = stream_options
    return call


def _usage(reported: Any) -> Usage | None:
    if reported is None:
        return None
    prompt, completion = reported.prompt_tokens_details, reported.completion_tokens_details
    written = (getattr(prompt, name, None) for name in ("cache_creation_tokens", "cache_write_tokens"))
    return Usage(
        prompt=reported.prompt_tokens or 0,
        completion=reported.completion_tokens or 0,
        cached=getattr(prompt, "cached_tokens", None) or 0,
        cache_written=next(filter(None, written), 0),
        reasoning=getattr(completion, "reasoning_tokens", None) or 0,
    )


def price(model: str, answered_by: str) -> Price | None:
    """The price of the requested model; if the request named a deployment, that of the model that answered. Null if neither is known."""
    prices: Mapping[str, Price] = library().model_cost
    bare, seller = named(model)
    for name in (model, f"{seller}/{bare}", bare, f"{seller}/{answered_by}", answered_by):
        found = prices.get(name)
        if found is not None and found.get("litellm_provider") == seller:
            return found
    return None


def _cost(model: str, answered_by: str, usage: Usage) -> int | None:
    found = price(model, answered_by)
    return None if found is None else nanodollars(found, usage)


def missing_key(model: str) -> str | None:
    """The environment variables that lack a key, as text; null if none does, or if the provider needs more than a key."""
    missing = library().validate_environment(model)["missing_keys"]
    if library().get_llm_provider(model)[2]:
        return None
    return " or ".join(missing) if missing and all(name.endswith("_API_KEY") for name in missing) else None
