"""The tables of the server: keys and their allowances, feedback, rollouts, and the origin of each trace."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("traces", sa.Column("prompt", sa.String(100)))
    op.add_column("traces", sa.Column("key_id", sa.String(16)))
    op.add_column("traces", sa.Column("unit", sa.String(32)))
    op.add_column("traces", sa.Column("experiment", sa.String(64)))
    op.add_column("traces", sa.Column("arm", sa.String(16)))
    op.add_column("traces", sa.Column("shadow_of", sa.String(36)))
    op.add_column("traces", sa.Column("ungrounded", sa.Integer))
    op.add_column("traces", sa.Column("held_ms", sa.Float))
    # All that the overview reads: it leaves the bodies alone, which are most of the table.
    op.drop_index("traces_by_time", "traces")
    op.create_index(
        "traces_by_time",
        "traces",
        [
            *("created_at", "id", "channel", "key_id", "outcome", "variant", "prompt", "prompt_tokens", "completion_tokens"),
            *("cost_nanodollars", "first_token_ms", "held_ms", "total_ms", "ungrounded"),
        ],
    )
    op.add_column("traces", sa.Column("question", sa.Text))
    traces = sa.table("traces", sa.column("id"), sa.column("body"), sa.column("question"))
    if op.get_bind().dialect.name == "sqlite":
        op.execute(traces.update().values(question=sa.text("json_extract(body, '$.question')")))
    else:
        # The operators of PostgreSQL refuse a body with an escaped NUL.
        for id, body in op.get_bind().execute(sa.select(traces.c.id, traces.c.body)).all():
            op.execute(traces.update().where(traces.c.id == id).values(question=json.loads(body)["question"]))
    op.create_index("traces_by_experiment", "traces", ["experiment", "id"])
    op.create_index("traces_by_key", "traces", ["key_id", "created_at"])
    op.create_table(
        "keys",
        sa.Column("id", sa.String(16), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("revoked_at", sa.String(32)),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "admissions",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("owner", sa.String(100), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False),
        sa.Column("reserved_nanodollars", sa.BigInteger, nullable=False),
    )
    op.create_index("admissions_by_key", "admissions", ["key_id"])
    op.create_table(
        "allowances",
        sa.Column("key_id", sa.String(16), primary_key=True),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("spent_nanodollars", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.Float, nullable=False),
        sa.Column("refilled_at", sa.Float, nullable=False),
    )
    op.create_table(
        "feedback",
        sa.Column("trace_id", sa.String(36), primary_key=True),
        sa.Column("author", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("thumb", sa.String(4)),
        sa.Column("score", sa.Float),
        sa.Column("comment", sa.Text),
        sa.Column("outcome", sa.String(64)),
    )
    op.create_index("feedback_by_time", "feedback", ["created_at"])
    op.create_table(
        "rollouts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
    )
    op.create_table(
        "rollout_events",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("rollout", sa.String(64), nullable=False),
        sa.Column("at", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("rollout_events_by_rollout", "rollout_events", ["rollout", "id"])
