"""The tables of the ledger, as they stand after the newest migration.

Knows columns; knows nothing of who reads them. The migrations in `migrations/versions` lead here, and a test compares the two.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

NEWEST = "0002"
"""The migration these tables stand for."""

metadata = MetaData()

collections = Table(
    "collections",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("embedder", String(200), nullable=False),
    Column("generation", String(100)),
)

sources = Table(
    "sources",
    metadata,
    Column("collection", String(64), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("sha256", String(64), nullable=False),
)

documents = Table(
    "documents",
    metadata,
    Column("collection", String(64), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("source", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("media_type", String(100), nullable=False),
    Column("language", String(8), nullable=False),
    Column("metadata", JSON, nullable=False),
    Column("sha256", String(64), nullable=False),
    Index("documents_by_source", "collection", "source"),
)

chunks = Table(
    "chunks",
    metadata,
    Column("collection", String(64), primary_key=True),
    Column("document_id", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("id", String(32), nullable=False),
    Column("headings", JSON, nullable=False),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("embedded_sha256", String(64), nullable=False),
    ForeignKeyConstraint(["collection", "document_id"], ["documents.collection", "documents.id"], ondelete="CASCADE"),
)

vectors = Table(
    "vectors",
    metadata,
    Column("embedder", String(200), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("vector", LargeBinary, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("collection", String(64), nullable=False),
    Column("source", Text, nullable=False),
    Column("reason", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Index("quarantine_by_source", "collection", "source"),
)

traces = Table(
    "traces",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("owner", String(100), nullable=False),
    Column("outcome", String(16)),
    Column("channel", String(16), nullable=False),
    Column("collection", String(64), nullable=False),
    Column("variant", String(64), nullable=False),
    Column("variant_sha256", String(64), nullable=False),
    Column("model", String(200), nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("completion_tokens", Integer, nullable=False),
    Column("cost_nanodollars", BigInteger),
    Column("first_token_ms", Float),
    Column("total_ms", Float),
    Column("body", Text, nullable=False),
    Index("traces_by_time", "created_at"),
)

runs = Table(
    "runs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("runs_by_time", "created_at"),
)

results = Table(
    "results",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("case_id", Text, primary_key=True),
    Column("repeat", Integer, primary_key=True),
    Column("trace_id", String(36), nullable=False),
    Column("body", Text, nullable=False),
)

responses = Table(
    "responses",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("body", Text, nullable=False),
)
