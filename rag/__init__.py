"""A question in, a trace out: ingest, retrieve, generate, validate, record."""
