"""Runs, their results, and the cached responses of models."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_index("runs_by_time", "runs", ["created_at"])
    op.create_table(
        "results",
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("case_id", sa.Text, primary_key=True),
        sa.Column("repeat", sa.Integer, primary_key=True),
        sa.Column("trace_id", sa.String(36), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
    op.create_table(
        "responses",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.String(32), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
    )
