"""What operators see of a running server: metrics for Prometheus, spans for OpenTelemetry."""

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder in which worker processes count together; prometheus_client reads it as it is imported, so it is set before one
starts.
"""
