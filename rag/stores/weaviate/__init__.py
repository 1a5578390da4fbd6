"""Generations in a Weaviate cluster, each as a collection of it."""
