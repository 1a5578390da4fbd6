"""The folder in which each source was read: files of the same name in two folders are two files."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    ordered = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.add_column("sources", sa.Column("root", ordered))
