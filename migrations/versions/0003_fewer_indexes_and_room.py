"""Indexes that are asked, and no others; room in the rows that grow.

Revision ID: 0003

Each change of a row is a change of its indexes: on PostgreSQL of all of them, wherever the row then stands. Gone are
those by ``is_active`` (the states say the same), by place in the list (a job's rows are found by the unique
index of its history), and by the time of events, which are pruned from their beginning. What is due is found
by wake time and id, so that any number of rows at one time can be read in parts. Jobs with a worker, which a
start looks for, have a small index of their own.

``room`` keeps SQLite from splitting a page whenever a row passes that was stored long before. Rows that are there
already have none.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
WAKING = "status = 'Pending' AND wake_time IS NOT NULL"
HAS_WORKER = "worker_process_id <> 0 OR current_state = 'Updating'"


def upgrade() -> None:
    op.drop_index("ix_jobs_is_active", "jobs")
    op.drop_index("ix_transitions_job_id_position", "transitions")
    op.drop_index("ix_events_time", "events")
    op.drop_index("ix_transitions_wake_time", "transitions")
    _create_partial("ix_transitions_wake_time", "transitions", ["wake_time", "transition_id"], WAKING)
    _create_partial("ix_jobs_with_worker", "jobs", ["service"], HAS_WORKER)
    for table in ("jobs", "transitions"):
        op.add_column(table, sa.Column("room", STRING))


def downgrade() -> None:
    for table in ("jobs", "transitions"):
        op.drop_column(table, "room")
    op.drop_index("ix_jobs_with_worker", "jobs")
    op.drop_index("ix_transitions_wake_time", "transitions")
    _create_partial("ix_transitions_wake_time", "transitions", ["wake_time"], WAKING)
    op.create_index("ix_events_time", "events", ["time"])
    op.create_index("ix_transitions_job_id_position", "transitions", ["job_id", "position"])
    op.create_index("ix_jobs_is_active", "jobs", ["is_active"])


def _create_partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
