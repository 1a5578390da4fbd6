"""The metrics of a server, for Prometheus.

Knows finished traces and refusals. Knows no question, key or user: no label has a value that clients can choose freely.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

from api.problem import BusyError, ClosingError, ForbiddenError, UnreadyError
from rag.errors import GroundwireError
from rag.llms.base import Attempt
from rag.revision import revision
from rag.trace import Channel, Outcome, Trace

T = TypeVar("T")

REGISTRY = CollectorRegistry(auto_describe=True)
SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 60.0, 120.0)
HELD_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter(
    "groundwire_requests",
    "Requests that ended, shadow copies included (channel shadow).",
    ("channel", "variant", "experiment", "arm", "outcome"),
    registry=REGISTRY,
)
REFUSALS = Counter(
    "groundwire_refusals",
    "Refusals: nothing relevant was found (abstained), the model declined, or the release policy held the answer back (withheld).",
    ("variant", "cause", "traffic"),
    registry=REGISTRY,
)
DURATION = Histogram(
    "groundwire_request_duration_seconds",
    "From the request to the last text, or to what ended it.",
    ("variant", "traffic"),
    buckets=SECONDS,
    registry=REGISTRY,
)
FIRST_TEXT = Histogram(
    "groundwire_first_text_seconds",
    "From the request to the first text that the reader got.",
    ("variant", "traffic"),
    buckets=SECONDS,
    registry=REGISTRY,
)
HELD = Histogram(
    "groundwire_held_seconds",
    "From the model's first text to the reader's: what judging before releasing costs.",
    ("variant", "traffic"),
    buckets=HELD_SECONDS,
    registry=REGISTRY,
)
CLAIMS = Counter(
    "groundwire_claims",
    "Claims of models by verdict, and whether readers got them (released) or not (withheld).",
    ("variant", "verdict", "fate", "traffic"),
    registry=REGISTRY,
)
ATTEMPTS = Counter("groundwire_attempts", "Calls of models by their result.", ("model", "result", "traffic"), registry=REGISTRY)
TOKENS = Counter(
    "groundwire_tokens",
    "Tokens as billed; prompt includes cached and cache_written, completion includes reasoning.",
    ("model", "kind", "traffic"),
    registry=REGISTRY,
)
COST = Counter(
    "groundwire_cost_dollars",
    "What the calls of models cost, where it is known.",
    ("variant", "model", "traffic"),
    registry=REGISTRY,
)
UNPRICED = Counter(
    "groundwire_unpriced_attempts",
    "Calls of models whose cost is not known, and not in the dollars.",
    ("variant", "model", "traffic"),
    registry=REGISTRY,
)
REJECTED = Counter("groundwire_rejected", "Requests that were turned away before they began.", ("reason",), registry=REGISTRY)
UNDER_WAY = Gauge("groundwire_requests_under_way", "Requests that hold a slot.", registry=REGISTRY, multiprocess_mode="livesum")
QUEUED = Gauge("groundwire_requests_queued", "Requests that wait for a slot.", registry=REGISTRY, multiprocess_mode="livesum")
BUILD = Gauge("groundwire_build_info", "Always 1.", ("version", "revision"), registry=REGISTRY, multiprocess_mode="max")
BUILD.labels(version("groundwire"), revision()).set(1)
ProcessCollector(registry=REGISTRY)


def observe(trace: Trace) -> None:
    """Count a request that has ended."""
    variant, traffic = trace.variant.name, "shadow" if trace.channel is Channel.SHADOW else "live"
    REQUESTS.labels(
        trace.channel, variant, trace.origin.experiment or "", trace.origin.arm or "", trace.outcome or Outcome.FAILED
    ).inc()
    if trace.outcome is Outcome.REFUSED:
        REFUSALS.labels(variant, _cause(trace), traffic).inc()
    for histogram, ms in ((DURATION, trace.total_ms), (FIRST_TEXT, trace.first_token_ms), (HELD, trace.held_ms)):
        if ms is not None:
            histogram.labels(variant, traffic).observe(ms / 1000)
    for fate, claims in (("released", trace.claims), ("withheld", trace.withheld)):
        for claim in claims:
            CLAIMS.labels(variant, claim.verdict, fate, traffic).inc()
    for attempt in trace.attempts:
        _observe_attempt(trace, attempt, traffic)


def rejected(reason: str) -> None:
    """Count a request that was refused before it left a trace, or a shadow copy that was dropped (`shadow`)."""
    REJECTED.labels(reason).inc()


def observe_refusal(error: GroundwireError) -> None:
    """Count a request that was answered with this error, if that is a refusal."""
    match error:
        case ForbiddenError():
            rejected("forbidden")
        case ClosingError():
            rejected("closing")
        case UnreadyError():
            rejected("unready")
        case BusyError(reason=reason):
            rejected(reason)


@asynccontextmanager
async def track(slot: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
    """Enter `slot`, and count its request as queued until it is entered, then as in flight until it is left."""
    async with AsyncExitStack() as stack:
        with QUEUED.track_inprogress():
            entered = await stack.enter_async_context(slot)
        with UNDER_WAY.track_inprogress():
            yield entered


def _observe_attempt(trace: Trace, attempt: Attempt, traffic: str) -> None:
    ATTEMPTS.labels(attempt.model, _result(trace, attempt), traffic).inc()
    for kind, tokens in attempt.usage:
        if tokens:
            TOKENS.labels(attempt.model, kind, traffic).inc(tokens)
    if attempt.cost_nanodollars is None:
        UNPRICED.labels(trace.variant.name, attempt.model, traffic).inc()
    else:
        COST.labels(trace.variant.name, attempt.model, traffic).inc(attempt.cost_nanodollars / 1e9)


def _result(trace: Trace, attempt: Attempt) -> str:
    if attempt.error is None:
        return "ok"
    if attempt.throttled:
        return "throttled"
    # Only the last call of a request is cancelled, and only if its client disconnected.
    return "cancelled" if trace.outcome is Outcome.DISCONNECTED and attempt is trace.attempts[-1] else "failed"


def _cause(trace: Trace) -> str:
    return {"abstained": "abstained", "refused": "withheld"}.get(trace.released or "", "declined")
