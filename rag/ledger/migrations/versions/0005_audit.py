"""The policy and variants that a rollout was started with, in its audit."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    ordered = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("rollout_events", sa.Column("started", ordered))
