"""HTTP in, the pipeline, HTTP out."""
