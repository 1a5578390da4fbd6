"""Generations as folders, each with its own FAISS, tantivy and SQLite files."""
