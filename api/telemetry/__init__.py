"""What operators see of a running server: metrics for Prometheus, spans for OpenTelemetry."""
