"""For several machines: on PostgreSQL, text ordered by code points, and traces in monthly partitions; the live processes."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from rag.ledger.months import Month, coming, make

revision = "0004"
down_revision = "0003"

TABLES = (
    *("collections", "sources", "documents", "chunks", "vectors", "quarantine", "traces", "runs", "results", "responses"),
    *("keys", "admissions", "allowances", "feedback", "rollouts", "rollout_events", "processes"),
)


def upgrade() -> None:
    op.create_table(
        "processes",
        sa.Column("owner", sa.String(100), primary_key=True),
        sa.Column("since", sa.Float, nullable=False),
        sa.Column("seen_at", sa.Float, nullable=False),
    )
    op.create_index("results_by_trace", "results", ["trace_id"])
    if op.get_bind().dialect.name == "postgresql":
        _order_text_as_sqlite_does()
        _part_traces()
    running = sa.text("outcome IS NULL")
    op.create_index("traces_running", "traces", ["owner"], sqlite_where=running, postgresql_where=running)


def _order_text_as_sqlite_does() -> None:
    """Order text by code points, whatever the locale of the database: documents are merged, and ids compared, in that order."""
    connection = op.get_bind()
    for table in TABLES:
        changes = (
            f'ALTER "{column["name"]}" TYPE {column["type"].compile(connection.dialect)} COLLATE "C"'
            for column in sa.inspect(connection).get_columns(table)
            if isinstance(column["type"], sa.String)
        )
        connection.exec_driver_sql(f"ALTER TABLE {table} {', '.join(changes)}")


def _part_traces() -> None:
    """Partition by ranges of ids, which as UUIDv7 are months. Existing rows move; ids of no month go to the default partition."""
    connection = op.get_bind()
    op.rename_table("traces", "traces_whole")
    listed = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema() AND indexname LIKE 'traces_by_%%'"
    indexes = connection.exec_driver_sql(listed).all()
    for name, _ in indexes:
        op.drop_index(name, "traces_whole")
    op.drop_constraint("traces_pkey", "traces_whole")
    connection.exec_driver_sql("CREATE TABLE traces (LIKE traces_whole INCLUDING DEFAULTS) PARTITION BY RANGE (id)")
    op.create_primary_key("traces_pkey", "traces", ["id"])
    for _, definition in indexes:
        connection.exec_driver_sql(definition.replace("traces_whole", "traces"))
    connection.exec_driver_sql("CREATE TABLE traces_default PARTITION OF traces DEFAULT")
    written = connection.exec_driver_sql("SELECT DISTINCT substr(created_at, 1, 7) FROM traces_whole").scalars()
    past = [Month(int(month[:4]), int(month[5:])) for month in written]
    make(connection, [*past, *coming(datetime.now(UTC))])
    connection.exec_driver_sql("INSERT INTO traces SELECT * FROM traces_whole")
    op.drop_table("traces_whole")
