"""How a generation is laid out in its folder: its files, and what the engines have to know of them.

Knows names and fields. Knows nothing of how they are written or searched.
"""

VECTORS = "vectors.faiss"
TERMS = "lexical"
"""The folder of tantivy's index: the fields `terms`, `facets` and `position`."""
PASSAGES = "passages.db"
GENERATION = "generation.json"
TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE passages (position INTEGER PRIMARY KEY, chunk TEXT NOT NULL);
CREATE TABLE facets (facet TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (facet, position)) WITHOUT ROWID;
"""
"""Of `PASSAGES`. It needs no journal: a folder that is not sealed is never opened."""
