"""Any model that litellm knows: `openai/...`, `anthropic/...` and the rest, over the provider's own wire format.

Knows litellm: how it is kept quiet, and offline until a call is made, and what its stream and its errors mean. Keys and base URLs
are read from the providers' own variables (`OPENAI_API_KEY`, `OPENAI_BASE_URL`, `ANTHROPIC_API_KEY`, `ANTHROPIC_BASE_URL`, ...).
"""

import asyncio
import email.utils
import functools
import gc
import inspect
import json
import logging
import os
import re
import time
import warnings
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from rag.errors import GroundwireError, UpstreamError
from rag.llms import tokens
from rag.llms.base import Completion, Request, Usage
from rag.llms.pricing import Price, nanodollars

_RETRYABLE = frozenset({408, 409, 429})
_THROTTLED = frozenset({429, 529})
_PREFIX = re.compile(r"^(?:litellm\.)?\w*(?:Error|Timeout|Exception)(?::| -)\s+")
_LONGEST = 240


@functools.cache
def library() -> Any:
    """litellm, which takes seconds to import: silent, without telemetry, with the price map it ships and not one it downloads."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    # OpenAI over litellm's own client, as its other providers are: a third less work a call than through OpenAI's SDK.
    os.environ.setdefault("EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER", "True")
    # It makes half a million objects that stay: to look through them for garbage is a quarter of the import, and of each full
    # collection after it.
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
        # Builds the schemas of its types, which are slow and warn about themselves, before a call is waiting for them.
        for kind in (litellm.ModelResponse, litellm.types.utils.ModelResponseStream):
            kind()
    return litellm


class Named(NamedTuple):
    """A model by the name that its provider has for it, and the provider's name."""

    model: str
    provider: str


@functools.cache
def named(model: str) -> Named:
    """Whom litellm would call for `model`, and for what. Raises `GroundwireError` where it knows nobody."""
    litellm = library()
    try:
        bare, seller, *_ = litellm.get_llm_provider(model)
    except litellm.exceptions.BadRequestError:
        raise GroundwireError(f"unknown model {model!r}", "name the provider, as in openai/gpt-4.1-mini") from None
    return Named(str(bare), str(seller))


class LiteLLM:
    """One attempt at a model through litellm. Without a base URL and a key of its own it uses those of the environment.

    `route` is what litellm is told to call, where that is not the model's own name.
    """

    def __init__(
        self,
        *,
        route: str | None = None,
        base_url: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._route = route
        self._base_url = base_url
        self._key = key
        self._headers = headers

    async def stream(self, request: Request) -> AsyncGenerator[str | Completion, None]:
        """See `rag.llms.base.LLM`."""
        litellm = library() if library.cache_info().currsize else await asyncio.to_thread(library)
        if self._key is None:
            _require_key(request.model)
        if request.whole:
            with _translated(request.model):
                response = await self._call(litellm, request)
            (choice,) = response.choices
            if choice.message.content:
                yield choice.message.content
            # litellm makes up a usage of zeros where a provider tells none; no prompt has no token.
            usage = response.usage if response.usage.prompt_tokens else None
            yield self._completion(request, response.model, choice.finish_reason, usage)
            return
        end = _End()
        with _translated(request.model):
            response = await self._call(litellm, request, stream=True, stream_options={"include_usage": True})
            try:
                async with aclosing(_read(litellm, response)) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, str):
                            yield piece
                        else:
                            end = piece
            finally:
                await response.aclose()
        if end.finish_reason is None:
            raise UpstreamError(
                f"{request.model} broke off in the middle of its answer", "try again, or name a fallback model", retryable=True
            )
        yield self._completion(request, end.model or request.model, end.finish_reason, end.usage)

    async def _call(self, litellm: Any, request: Request, **streaming: Any) -> Any:
        messages = [message.model_dump() for message in request.messages]
        return await inspect.unwrap(litellm.acompletion)(
            model=self._route or request.model,
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

    def _completion(self, request: Request, answered_by: str, finish_reason: str, usage: Any) -> Completion:
        billed = _usage(usage)
        return Completion(
            model=answered_by,
            usage=billed or Usage(),
            cost_nanodollars=None if billed is None else _cost(self._route or request.model, answered_by, billed),
            finish_reason=finish_reason,
        )

    async def count_tokens(self, model: str, texts: Sequence[str]) -> list[int]:
        """See `rag.llms.base.LLM`."""

        def count() -> list[int]:
            bare, seller = named(model)
            return tokens.count(seller, bare, texts)

        return await asyncio.to_thread(count)

    def window(self, model: str) -> int | None:
        """As the price map that litellm ships has it."""
        bare, seller = named(model)
        known = (library().model_cost.get(name) for name in (model, f"{seller}/{bare}", bare))
        return next((entry.get("max_input_tokens") for entry in known if entry), None)

    def cost(self, model: str, usage: Usage) -> int | None:
        """By the price map that litellm ships."""
        return _cost(model, model, usage)

    def estimate(self, request: Request, text: str) -> Usage:
        """See `rag.llms.base.LLM`."""
        bare, seller = named(request.model)
        return tokens.estimate(seller, bare, request, text)

    async def close(self) -> None:
        """Close the connections that litellm keeps open, which all its callers share."""
        if library.cache_info().currsize:
            await library().close_litellm_async_clients()
            # It keeps OpenAI's clients though they are closed, and would call through them; the others open again.
            kept = library().in_memory_llm_clients_cache.cache_dict
            for name in [name for name, client in kept.items() if getattr(client, "is_closed", bool)()]:
                del kept[name]


def _unlogged(litellm: Any, request: Request, messages: list[dict[str, Any]], stream_options: object) -> Any:
    """What `acompletion` is given by its decorators, below which it is called here.

    They price, time and log each call, which is half of what it costs; the trace has all of that.
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


class _End(NamedTuple):
    """What a stream says besides its text; null where it did not."""

    model: str | None = None
    finish_reason: str | None = None
    usage: Any = None


def _read(litellm: Any, response: Any) -> AsyncGenerator[str | _End, None]:
    """The text of a stream as it arrives, then its end."""
    from litellm.llms.openai.chat.gpt_transformation import OpenAIChatCompletionStreamingHandler

    events = response.completion_stream
    # A dialect of OpenAI's has a subclass, which mends it.
    if type(events) is OpenAIChatCompletionStreamingHandler:
        return _read_openai(litellm, events)
    return _read_any(response)


async def _read_openai(litellm: Any, events: Any) -> AsyncGenerator[str | _End, None]:
    """Off the wire: litellm would make three objects of each word, which is most of what a call costs here.

    Words that arrive together are passed on together.
    """
    end = _End()
    async for chunks in _arrived(events.http_response):
        texts: list[str] = []
        try:
            for chunk in chunks:
                if chunk.get("error"):
                    events.chunk_parser(chunk)
                end = end._replace(model=chunk.get("model") or end.model, usage=chunk.get("usage") or end.usage)
                for choice in chunk.get("choices", ()):
                    end = end._replace(finish_reason=choice.get("finish_reason") or end.finish_reason)
                    texts.append((choice.get("delta") or {}).get("content") or "")
        finally:
            # Where a failure came with them, too: they were given, and are billed.
            if text := "".join(texts):
                yield text
    yield end._replace(usage=end.usage and litellm.Usage(**end.usage))


async def _arrived(response: Any) -> AsyncGenerator[Iterator[dict[str, Any]], None]:
    """The events of a stream, those in one that came in one."""
    begun = b""
    async for arrived in response.aiter_bytes():
        *lines, begun = (begun + arrived).split(b"\n")
        yield _said(lines)
    yield _said([begun])


def _said(lines: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """What lines of server-sent events say. A failure may come bare, in place of a stream."""
    for line in lines:
        said = line.removeprefix(b"data:").strip()
        if said.startswith(b"{"):
            yield json.loads(said)


async def _read_any(response: Any) -> AsyncGenerator[str | _End, None]:
    """Whatever the provider speaks, as litellm tells it."""
    end = _End()
    async for chunk in response:
        end = end._replace(model=chunk.model or end.model, usage=getattr(chunk, "usage", None) or end.usage)
        for choice in chunk.choices:
            end = end._replace(finish_reason=choice.finish_reason or end.finish_reason)
            if choice.delta.content:
                yield choice.delta.content
    # litellm makes up what a provider leaves out: "stop" where a stream just ended, its own count where no usage was told.
    if response.received_finish_reason is None:
        end = end._replace(finish_reason=None)
    if not any(getattr(chunk, "usage", None) for chunk in response.chunks):
        end = end._replace(usage=None)
    yield end


def _usage(told: Any) -> Usage | None:
    if told is None:
        return None
    prompt, completion = told.prompt_tokens_details, told.completion_tokens_details
    written = (getattr(prompt, name, None) for name in ("cache_creation_tokens", "cache_write_tokens"))
    return Usage(
        prompt=told.prompt_tokens or 0,
        completion=told.completion_tokens or 0,
        cached=getattr(prompt, "cached_tokens", None) or 0,
        cache_written=next(filter(None, written), 0),
        reasoning=getattr(completion, "reasoning_tokens", None) or 0,
    )


def price(model: str, answered_by: str) -> Price | None:
    """That of the model as requested, or as the provider names it where the request named a deployment."""
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


def _require_key(model: str) -> None:
    """Tell a missing key before a connection is made; providers that want more than a key are left to say so themselves."""
    missing = library().validate_environment(model)["missing_keys"]
    if missing and all(name.endswith("_API_KEY") for name in missing):
        raise UpstreamError(f"{model} needs a key", f"set {' and '.join(missing)}", retryable=False, billed=False)


@contextmanager
def _translated(model: str) -> Iterator[None]:
    """Failures of the library, the SDKs and the connection, as ours.

    Without their cause: its text may quote the request's headers, and with them the key.
    """
    try:
        yield
    except Exception as error:  # noqa: BLE001 - litellm passes on whatever its providers' code raises
        raise _upstream_error(model, error) from None


def _upstream_error(model: str, error: Exception) -> UpstreamError:
    import httpx
    import openai

    error = getattr(error, "original_exception", None) or error
    headers = getattr(error, "litellm_response_headers", None) or {}
    status = getattr(error, "status_code", None) if headers else None
    causes = tuple(_causes(error))
    timed_out = any(isinstance(cause, (openai.APITimeoutError, httpx.TimeoutException, TimeoutError)) for cause in causes)
    refused = bool(headers) or any(isinstance(cause, httpx.ConnectError) for cause in causes)
    answered = f"answered {status}" if status else "did not answer in time" if timed_out else "failed"
    return UpstreamError(
        f"{model} {answered}: {_message(error)}",
        _mend(error, status),
        retryable=status is None or status in _RETRYABLE or status >= 500,
        retry_after=_seconds(headers.get("retry-after")),
        timed_out=timed_out,
        throttled=status in _THROTTLED,
        billed=not refused,
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _mend(error: Exception, status: int | None) -> str:
    if isinstance(error, library().exceptions.ContextWindowExceededError):
        return "send fewer passages, or take a model with a larger window"
    match status:
        case 401 | 403:
            return "check the provider's key, and that it may use this model"
        case 404:
            return "check the name of the model, and the base URL where one is set"
        case 429:
            return "wait, ask the provider for a higher limit, or name a fallback model"
        case int() if status < 500:
            return "change what the provider objects to"
        case _:
            return "try again, or name a fallback model"


def _message(error: Exception) -> str:
    """What the provider said, on one line, without the names litellm puts before it and without any key."""
    text = str(getattr(error, "message", None) or error)
    while shorter := _PREFIX.sub("", text, count=1):
        if shorter == text:
            break
        text = shorter
    try:
        body = json.loads(text[text.index("{") : text.rindex("}") + 1])
        text = str(body["error"]["message"])
    except (ValueError, KeyError, TypeError):
        pass
    text = " ".join(text.split())
    for name, value in os.environ.items():
        if name.endswith(("_KEY", "_TOKEN")) and (secret := value.strip()):
            text = text.replace(secret, f"${name}")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _seconds(retry_after: str | None) -> float | None:
    """`Retry-After` as seconds from now: it may be a number or an HTTP date."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(retry_after).timestamp() - time.time())
    except ValueError:
        return None
