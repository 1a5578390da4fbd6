"""What an ingest loads before it begins, loaded once for every process that is forked from the one that imports this."""

from importlib import import_module

from rag.text.analyzer import language

for module in (
    "alembic.command",
    "alembic.script",
    "faiss",
    "numpy.random",
    "rag.embedders.hashing",
    "rag.ingest.ingest",
    "rag.stores.faiss.store",
    "sentencex",
    "sqlalchemy.dialects.sqlite",
    "tantivy",
):
    import_module(module)
language("The model that tells languages apart is read when it is asked for the first time.")
