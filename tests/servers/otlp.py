"""A backend for spans on loopback: takes OTLP over HTTP, as protobuf, and keeps what it was sent."""

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Received:
    """One span, as it was sent."""

    def __init__(self, span: Span, resource: Mapping[str, Any]) -> None:
        self.name = span.name
        self.kind = Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_")
        self.trace_id, self.id, self.parent = span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()
        self.start, self.end = span.start_time_unix_nano, span.end_time_unix_nano
        self.failed = span.status.code == 2
        self.attributes = {pair.key: _plain(pair.value) for pair in span.attributes}
        self.resource = resource


class Collector:
    """`with Collector() as collector:`; `spans` are those that came so far. `status` is what each delivery is answered with.

    What is `held` is neither kept nor answered before `let_go`.
    """

    def __init__(self, status: int = 200, *, held: bool = False) -> None:
        self._released = threading.Event()
        if not held:
            self._released.set()
        self.spans: list[Received] = []
        self.deliveries = 0
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                collector.deliveries += 1
                collector._released.wait()
                body = self.rfile.read(int(self.headers["content-length"]))
                if status == 200:
                    collector._take(self.path, body)
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.let_go()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def let_go(self) -> None:
        """Answer what is held; nothing is held from now on."""
        self._released.set()

    @property
    def url(self) -> str:
        """For `OTEL_EXPORTER_OTLP_ENDPOINT`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def _take(self, path: str, body: bytes) -> None:
        assert path == "/v1/traces"
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {pair.key: _plain(pair.value) for pair in group.resource.attributes}
            self.spans += [Received(span, resource) for scope in group.scope_spans for span in scope.spans]


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [_plain(item) for item in value.array_value.values] if kind == "array_value" else getattr(value, str(kind))
