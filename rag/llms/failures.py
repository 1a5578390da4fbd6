"""Translates the errors of litellm, the SDKs and the connection into `UpstreamError`.

Knows statuses, `Retry-After` and the forms of providers' messages. Removes keys from them.
"""

import email.utils
import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rag.errors import UpstreamError

_RETRYABLE = frozenset({408, 409, 429})
_THROTTLED = frozenset({429, 529})
_PREFIX = re.compile(r"^(?:litellm\.)?\w*(?:Error|Timeout|Exception)(?::| -)\s+")
_TLS = re.compile(r" ssl:(?:<[^<>]*>|\w+)")
"""TLS details that aiohttp adds to the name of a host that it cannot connect to."""
_SECRET = 8
"""Characters that a key has at least: a shorter value is a placeholder, and may be part of a word."""
_LONGEST = 240
"""Characters of a message."""


@contextmanager
def translated(model: str) -> Iterator[None]:
    """Raise an `UpstreamError` for any error inside.

    It has no cause, whose text might quote the request's headers, and with them the key.
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
    from litellm.exceptions import ContextWindowExceededError

    if isinstance(error, ContextWindowExceededError):
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
    """The provider's message as one line, without the class names that litellm puts before it and without any key."""
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
    text = _TLS.sub("", " ".join(text.split()))
    for name, value in os.environ.items():
        if name.endswith(("_KEY", "_TOKEN")) and len(secret := value.strip()) >= _SECRET:
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
