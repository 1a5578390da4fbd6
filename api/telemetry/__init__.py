"""What operators see of a running server: metrics for Prometheus, spans for OpenTelemetry."""

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable of the folder in which worker processes share metrics. prometheus_client reads it when it is imported, so
that it is set before a worker starts.
"""
