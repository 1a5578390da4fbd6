"""The tables of the ledger, as they stand after the newest migration.

Knows columns. Knows nothing of who reads them. The migrations in `migrations/versions` lead here, and a test compares the two.
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
    text,
)

NEWEST = "0006"
"""The migration after which the tables are as below."""

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
    Column("root", Text),
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
    Column("prompt", String(100)),
    Column("key_id", String(16)),
    Column("unit", String(32)),
    Column("experiment", String(64)),
    Column("arm", String(16)),
    Column("shadow_of", String(36)),
    Column("ungrounded", Integer),
    Column("held_ms", Float),
    Column("question", Text),
    Index(
        "traces_by_time",
        *("created_at", "id", "channel", "key_id", "outcome", "variant", "prompt", "prompt_tokens", "completion_tokens"),
        *("cost_nanodollars", "first_token_ms", "held_ms", "total_ms", "ungrounded"),
    ),
    Index("traces_by_experiment", "experiment", "id"),
    Index("traces_by_key", "key_id", "created_at"),
    Index("traces_running", "owner", sqlite_where=text("outcome IS NULL"), postgresql_where=text("outcome IS NULL")),
)

processes = Table(
    "processes",
    metadata,
    Column("owner", String(100), primary_key=True),
    Column("since", Float, nullable=False),
    Column("seen_at", Float, nullable=False),
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
    Index("results_by_trace", "trace_id"),
)

responses = Table(
    "responses",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("body", Text, nullable=False),
)

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("revoked_at", String(32)),
    Column("name", String(100), nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("body", Text, nullable=False),
)

admissions = Table(
    "admissions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("key_id", String(16), nullable=False),
    Column("owner", String(100), nullable=False),
    Column("day", String(10), nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("reserved_nanodollars", BigInteger, nullable=False),
    Index("admissions_by_key", "key_id"),
)

allowances = Table(
    "allowances",
    metadata,
    Column("key_id", String(16), primary_key=True),
    Column("day", String(10), nullable=False),
    Column("spent_nanodollars", BigInteger, nullable=False),
    Column("tokens", Float, nullable=False),
    Column("refilled_at", Float, nullable=False),
)

feedback = Table(
    "feedback",
    metadata,
    Column("trace_id", String(36), primary_key=True),
    Column("author", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("thumb", String(4)),
    Column("score", Float),
    Column("comment", Text),
    Column("outcome", String(64)),
    Index("feedback_by_time", "created_at"),
)

rollouts = Table(
    "rollouts",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("created_at", String(32), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("policy", Text, nullable=False),
    Column("state", Text, nullable=False),
)

rollout_events = Table(
    "rollout_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("rollout", String(64), nullable=False),
    Column("at", String(32), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("event", String(32), nullable=False),
    Column("detail", Text, nullable=False),
    Column("started", Text),
    Index("rollout_events_by_rollout", "rollout", "id"),
)
