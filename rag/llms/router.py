"""Calls a model reliably: attempts, backoff, deadlines, fallbacks and circuit breakers over the backends.

Knows what is worth another try and how long to wait. Knows no provider.
"""

import asyncio
import random
import sys
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from rag.errors import UpstreamError
from rag.llms import OURS, open_llm
from rag.llms.base import LLM, Attempt, CallLog, CallPolicy, Completion, Purpose, Request, Usage
from rag.llms.breaker import Breaker

FIRST_BACKOFF = 0.5
LONGEST_BACKOFF = 8.0
"""Seconds between two attempts at the same model: doubled each time, and drawn at random below that."""
TOKEN = 16
"""Characters of a token: an answer that is longer than `max_tokens` of such comes from a provider that ignores the limit."""
READER_FACING = (Purpose.ANSWER, Purpose.RETRY)
"""Purposes whose text a reader sees: for these, an empty reply is a failure."""


class Router:
    """Opens each model's backend once, and watches its health. Belongs to one event loop; calls may overlap."""

    def __init__(self, backend: Callable[[str], LLM] = open_llm, breaker: Callable[[], Breaker] = Breaker) -> None:
        self._backend = backend
        self._llms: dict[str, LLM] = {}
        self._breakers: defaultdict[str, Breaker] = defaultdict(breaker)

    def llm(self, model: str) -> LLM:
        """The backend of a model. Raises `GroundwireError` for a model that is unknown, `UpstreamError` for one that is not installed."""
        if model not in self._llms:
            self._llms[model] = self._backend(model)
        return self._llms[model]

    def available(self, models: Sequence[str]) -> list[str]:
        """The models that can be opened here. Raises `GroundwireError` for an unknown one, `UpstreamError` if none can be opened."""
        found: list[str] = []
        failures: list[UpstreamError] = []
        for model in models:
            try:
                self.llm(model)
                found.append(model)
            except UpstreamError as error:
                failures.append(error)
        if not found:
            raise failures[0]
        return found

    def cost(self, model: str, usage: Usage) -> int | None:
        """The cost of these tokens in nano-dollars; null if the price of the model is not known."""
        return self.llm(model).cost(usage)

    async def stream(
        self, request: Request, policy: CallPolicy, purpose: Purpose, log: CallLog
    ) -> AsyncGenerator[str | Completion, None]:
        """Pieces of the answer, then one `Completion`.

        Every attempt is added to `log` as it ends, also when this generator is closed or cancelled. Once text was yielded, there is
        no other attempt. Raises an `UpstreamError` that names each model's last failure.
        """
        models = tuple(dict.fromkeys((request.model, *policy.fallbacks)))
        self.available(models)
        clock = asyncio.get_running_loop().time
        deadline = clock() + policy.total_seconds - (time.perf_counter() - log.started)
        failures: dict[str, UpstreamError] = {}
        for model in models:
            for tried in range(1, policy.attempts + 1):
                attempt = _Try(purpose, request.model_copy(update={"model": model}), log.started, self.llm)
                try:
                    async with aclosing(self._attempt(attempt.request, policy, deadline)) as pieces:
                        async for piece in pieces:
                            if ready := attempt.received(piece):
                                yield ready
                            if attempt.overrun and not request.whole:
                                yield attempt.cut_off()
                                break
                    return
                except UpstreamError as error:
                    attempt.failed(error)
                    failures[model] = error
                    if attempt.started:
                        raise
                finally:
                    log.attempts.append(attempt.record())
                wait = _wait(failures[model], tried, others=model != models[-1])
                if wait is None or tried == policy.attempts or clock() + wait >= deadline:
                    break
                await asyncio.sleep(wait)
            if clock() >= deadline:
                break
        raise _together(list(failures.values()))

    async def _attempt(self, request: Request, policy: CallPolicy, deadline: float) -> AsyncGenerator[str | Completion, None]:
        """One attempt within its deadlines, whose end is reported to the model's breaker."""
        model = request.model
        breaker = self._breakers[model]
        if not breaker.admits():
            raise UpstreamError.unavailable(
                f"{model} is left alone for a while, after failing repeatedly", "try again later, or name a fallback model"
            )
        conclude = breaker.abandoned
        try:
            async with (
                aclosing(self.llm(model).stream(request)) as pieces,
                aclosing(_timely(pieces, model, policy, deadline, whole=request.whole)) as timely,
            ):
                async for piece in timely:
                    yield piece
            conclude = breaker.succeeded
        except UpstreamError as error:
            if error.retryable or error.timed_out:
                conclude = breaker.failed
            raise
        finally:
            conclude()

    async def close(self) -> None:
        """Close every backend."""
        for llm in self._llms.values():
            await llm.close()
        self._llms.clear()


async def _timely(
    pieces: AsyncGenerator[str | Completion, None], model: str, policy: CallPolicy, deadline: float, *, whole: bool
) -> AsyncGenerator[str | Completion, None]:
    """The same pieces. Raises `UpstreamError` when the first piece or the end is late.

    The end includes the time that the reader takes between pieces. A `whole` answer is one piece, so only the end may be late.
    """
    first = asyncio.get_running_loop().time() + policy.first_token_seconds
    waiting = first < deadline and not whole
    while True:
        try:
            async with asyncio.timeout_at(first if waiting else deadline):
                piece = await anext(pieces, None)
        except TimeoutError:
            late = (
                f"gave no text within {policy.first_token_seconds:g} s"
                if waiting
                else f"did not finish: the {policy.total_seconds:g} s for this answer were over"
            )
            raise UpstreamError(
                f"{model} {late}", "allow more time, or name a fallback model", retryable=waiting, timed_out=True
            ) from None
        if piece is None:
            return
        waiting = False
        yield piece


def _wait(error: UpstreamError, tried: int, *, others: bool) -> float | None:
    """Seconds until the same model is tried again; None if it is not, or if it is sooner to try the `others`."""
    if not error.retryable:
        return None
    jitter = random.uniform(0, min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (tried - 1)))  # noqa: S311 - spreads load, guards nothing
    wait = jitter + (error.retry_after or 0.0)
    return None if others and wait > LONGEST_BACKOFF else wait


def _together(failures: list[UpstreamError]) -> UpstreamError:
    last = failures[-1]
    return UpstreamError(
        "; ".join(failure.problem for failure in failures),
        last.mend,
        retryable=last.retryable,
        retry_after=last.retry_after,
        timed_out=last.timed_out,
        throttled=last.throttled,
        billed=any(failure.billed for failure in failures),
    )


class _Try:
    """Measures one attempt, until it is put on record."""

    def __init__(self, purpose: Purpose, request: Request, request_started: float, llm: Callable[[str], LLM]) -> None:
        self.request = request
        self._purpose = purpose
        self._llm = llm
        self._request_started = request_started
        self._started_at = time.perf_counter()
        self._first_at: float | None = None
        self._texts: list[str] = []
        self._billed = True
        # What runs here generates no more than it is told to, or quotes, which is no tokens at all.
        self._room = sys.maxsize if request.model.startswith(OURS) else TOKEN * request.max_tokens
        self._end: dict[str, object] = {"error": "the caller left"}

    @property
    def started(self) -> bool:
        """Whether any text was passed on."""
        return any(text.strip() for text in self._texts)

    @property
    def overrun(self) -> bool:
        """Whether the model went on far beyond the tokens it was given."""
        return self._room <= 0

    def received(self, piece: str | Completion) -> str | Completion | None:
        """What can be passed on now: leading white space waits for text. Raises `UpstreamError` at the end of an empty answer."""
        if isinstance(piece, str):
            self._first_at = self._first_at or time.perf_counter()
            piece = piece[: self._room]
            self._room -= len(piece)
            waiting = "" if self.started else "".join(self._texts)
            self._texts.append(piece)
            return waiting + piece if self.started else None
        if self.overrun:
            piece = piece.model_copy(update={"finish_reason": "length"})
        self._end = {
            "answered_by": piece.model,
            "usage": piece.usage,
            "cost_nanodollars": piece.cost_nanodollars,
            "finish_reason": piece.finish_reason,
            "replayed": piece.replayed,
            "overrun": self.overrun,
        }
        if self._purpose in READER_FACING and not self.started:
            raise UpstreamError(
                f"{self.request.model} gave no text ({piece.finish_reason})",
                "raise llm.max_tokens, or name a fallback model",
                retryable=False,
            )
        return piece

    def cut_off(self) -> Completion:
        """The end of an answer of which the rest is not read. Raises `UpstreamError` if it was empty so far."""
        usage = self._llm(self.request.model).estimate(self.request, "".join(self._texts))
        end = Completion(
            model=self.request.model,
            usage=usage,
            cost_nanodollars=self._llm(self.request.model).cost(usage),
            finish_reason="length",
        )
        try:
            self.received(end)
        finally:
            self._end |= {"estimated": True}
        return end

    def failed(self, error: UpstreamError) -> None:
        self._billed = error.billed
        self._end |= {"error": error.problem, "throttled": error.throttled}

    def record(self) -> Attempt:
        timed = Attempt(
            purpose=self._purpose,
            model=self.request.model,
            started_ms=(self._started_at - self._request_started) * 1e3,
            first_token_ms=None if self._first_at is None or self.request.whole else (self._first_at - self._started_at) * 1e3,
            total_ms=(time.perf_counter() - self._started_at) * 1e3,
        )
        return timed.model_copy(update=self._end if "cost_nanodollars" in self._end else {**self._end, **self._spent()})

    def _spent(self) -> dict[str, object]:
        """The cost of a call whose usage the provider did not report: nothing if it was not billed, else an estimate."""
        if not self._billed or self.request.model.startswith(OURS):
            return {"cost_nanodollars": 0}
        llm = self._llm(self.request.model)
        usage = llm.estimate(self.request, "".join(self._texts))
        return {"usage": usage, "cost_nanodollars": llm.cost(usage), "estimated": True}
