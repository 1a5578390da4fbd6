"""Finished requests as OpenTelemetry spans, over OTLP/HTTP to wherever the environment says.

Knows the packages that send them, which are an extra. Knows nothing of how a request runs: its spans are made once all of it is
known, so a backend that is slow or away costs no request anything.
"""

import functools
import logging
import os
from contextvars import ContextVar
from datetime import datetime
from importlib.metadata import version
from threading import Thread
from typing import TYPE_CHECKING
from uuid import UUID

from api.telemetry import conventions
from api.telemetry.conventions import Span
from rag.trace import Trace

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Tracer

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
FLUSH_SECONDS = 5.0
"""How long a server that ends waits for its last spans to be taken."""

RELEASE = version("groundwire")

_log = logging.getLogger("groundwire")
_trace_id: ContextVar[int] = ContextVar("trace_id")


def start() -> None:
    """Open the export that the environment asks for, if it does; tell where its packages are missing."""
    _provider()


def stop() -> None:
    """Send what is left, for at most `FLUSH_SECONDS`."""
    provider = _provider()
    _provider.cache_clear()
    if provider:
        flushing = Thread(target=provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)


def export(trace: Trace, traceparent: str | None = None) -> None:
    """Hand a finished request to the exporter's thread; nothing where no endpoint is configured.

    Its spans continue the caller's where the W3C header `traceparent` came with the request; otherwise the id of the OpenTelemetry
    trace is ours, written without dashes.
    """
    provider = _provider()
    if provider is None:
        return
    try:
        _export(trace, traceparent, provider)
    except Exception:  # noqa: BLE001 - whatever it is, it is logged, and is no fault of the request
        _log.exception("trace %s could not be exported", trace.id)


@functools.cache
def _provider() -> "TracerProvider | None":
    endpoint = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if endpoint is None:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    except ImportError:
        _log.warning(
            "%s is set, but no spans are exported: `pip install 'groundwire[telemetry]'` brings what sends them", endpoint
        )
        return None

    class TraceIds(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return _trace_id.get()

    ours = Resource.create({"service.name": "groundwire", "service.version": RELEASE})
    resource = ours.merge(OTELResourceDetector().detect())
    provider = TracerProvider(resource=resource, id_generator=TraceIds(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def _export(trace: Trace, traceparent: str | None, provider: "TracerProvider") -> None:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    content = os.environ.get(CONTENT, "").lower() == "true"
    began = round(datetime.fromisoformat(trace.created_at).timestamp() * 1000) * 1_000_000
    _trace_id.set(UUID(trace.id).int)
    caller = TraceContextTextMapPropagator().extract({"traceparent": traceparent} if traceparent else {}, Context())
    tracer = provider.get_tracer("groundwire", RELEASE)
    request = _made(conventions.request(trace, content=content), began, caller, tracer)
    for operation in conventions.operations(trace, content=content):
        _made(operation, began, request, tracer)


def _made(span: Span, began: int, within: "Context", tracer: "Tracer") -> "Context":
    """A span that is over; returned is what its children are made within. `began` are the nanoseconds of the request."""
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

    made = tracer.start_span(
        span.name,
        within,
        SpanKind.CLIENT if span.remote else SpanKind.INTERNAL,
        span.attributes,
        start_time=began + round(span.start_ms * 1e6),
    )
    if "error.type" in span.attributes:
        made.set_status(StatusCode.ERROR)
    made.end(began + round(span.end_ms * 1e6))
    return set_span_in_context(made, Context())
