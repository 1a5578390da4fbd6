"""Generations in a Weaviate cluster, each in a collection of its own."""
