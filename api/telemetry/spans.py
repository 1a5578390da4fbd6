"""Exports finished requests as OpenTelemetry spans, over OTLP/HTTP to the endpoint in the environment.

Knows the exporter's packages, which are an extra. Knows nothing of how a request runs: spans are made from its finished trace,
so that a slow or missing backend delays no request.
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
"""How long a server waits at shutdown for its last spans to be sent."""

RELEASE = version("groundwire")

_log = logging.getLogger("groundwire")
_trace_id: ContextVar[int] = ContextVar("trace_id")


def start() -> None:
    """Start the export if the environment configures one; log a warning if its packages are missing."""
    _provider()


def stop() -> None:
    """Send the remaining spans, for at most `FLUSH_SECONDS`."""
    provider = _provider()
    _provider.cache_clear()
    if provider:
        flushing = Thread(target=provider.shutdown, daemon=True)
        flushing.start()
        flushing.join(FLUSH_SECONDS)


def export(trace: Trace, traceparent: str | None = None) -> None:
    """Hand a finished request to the exporter's thread, if an endpoint is configured.

    The spans continue the caller's trace if the request had the W3C header `traceparent`; otherwise the OpenTelemetry trace
    has our trace's id, without dashes.
    """
    provider = _provider()
    if provider is None:
        return
    try:
        _export(trace, traceparent, provider)
    except Exception:  # noqa: BLE001 - the export must not fail the request
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
    request = _record(conventions.request(trace, content=content), began, caller, tracer)
    for operation in conventions.operations(trace, content=content):
        _record(operation, began, request, tracer)


def _record(span: Span, began: int, parent: "Context", tracer: "Tracer") -> "Context":
    """Record a finished span, and return the context of its children. `began` is the request's start in nanoseconds since 1970."""
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanKind, StatusCode, set_span_in_context

    recorded = tracer.start_span(
        span.name,
        parent,
        SpanKind.CLIENT if span.remote else SpanKind.INTERNAL,
        span.attributes,
        start_time=began + round(span.start_ms * 1e6),
    )
    if "error.type" in span.attributes:
        recorded.set_status(StatusCode.ERROR)
    recorded.end(began + round(span.end_ms * 1e6))
    return set_span_in_context(recorded, Context())
