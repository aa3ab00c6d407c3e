"""Jobs, their history and what belongs to them.

Revision ID: 0001
Revises: nothing

The triggers make history append-only for everybody who speaks SQL to the database, not only for us.
The views are for people who audit; they are documented and stable.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STRING = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
DOCUMENT = sa.Text().with_variant(JSONB(), "postgresql")
NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


SQLITE_TRIGGERS = (
    """
    CREATE TRIGGER transitions_settled_no_update BEFORE UPDATE ON transitions
    WHEN OLD.status <> 'Pending'
    BEGIN SELECT RAISE(ABORT, 'history is append-only: a settled transition can not be changed'); END
    """,
    """
    CREATE TRIGGER transitions_settled_no_delete BEFORE DELETE ON transitions
    WHEN OLD.status <> 'Pending'
    BEGIN SELECT RAISE(ABORT, 'history is append-only: a settled transition can not be deleted'); END
    """,
    # REPLACE deletes the row in its way without asking the DELETE trigger, hence the next two.
    """
    CREATE TRIGGER transitions_settled_no_replace BEFORE INSERT ON transitions
    WHEN EXISTS (SELECT 1 FROM transitions WHERE transition_id = NEW.transition_id)
      OR EXISTS (SELECT 1 FROM transitions WHERE job_id = NEW.job_id AND sequence = NEW.sequence)
    BEGIN SELECT RAISE(ABORT, 'history is append-only: this transition or its place is taken'); END
    """,
    """
    CREATE TRIGGER transitions_settled_no_update_replace BEFORE UPDATE ON transitions
    WHEN (NEW.transition_id <> OLD.transition_id
          AND EXISTS (SELECT 1 FROM transitions WHERE transition_id = NEW.transition_id))
      OR (NEW.sequence IS NOT OLD.sequence
          AND EXISTS (SELECT 1 FROM transitions WHERE job_id = NEW.job_id AND sequence = NEW.sequence))
    BEGIN SELECT RAISE(ABORT, 'history is append-only: this transition or its place is taken'); END
    """,
    """
    CREATE TRIGGER jobs_with_history_no_delete BEFORE DELETE ON jobs
    WHEN OLD.history_length > 0
      OR EXISTS (SELECT 1 FROM transitions WHERE job_id = OLD.job_id AND status <> 'Pending')
    BEGIN SELECT RAISE(ABORT, 'history is append-only: a job with history can not be deleted'); END
    """,
)

POSTGRESQL_TRIGGERS = (
    """
    CREATE FUNCTION refuse_change_of_history() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'history is append-only: %', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
    END $$
    """,
    """
    CREATE TRIGGER transitions_settled_no_update BEFORE UPDATE ON transitions
    FOR EACH ROW WHEN (OLD.status <> 'Pending')
    EXECUTE FUNCTION refuse_change_of_history('a settled transition can not be changed')
    """,
    """
    CREATE TRIGGER transitions_settled_no_delete BEFORE DELETE ON transitions
    FOR EACH ROW WHEN (OLD.status <> 'Pending')
    EXECUTE FUNCTION refuse_change_of_history('a settled transition can not be deleted')
    """,
    """
    CREATE TRIGGER transitions_no_truncate BEFORE TRUNCATE ON transitions
    EXECUTE FUNCTION refuse_change_of_history('transitions can not be truncated')
    """,
    """
    CREATE TRIGGER jobs_with_history_no_delete BEFORE DELETE ON jobs
    FOR EACH ROW WHEN (OLD.history_length > 0)
    EXECUTE FUNCTION refuse_change_of_history('a job with history can not be deleted')
    """,
    """
    CREATE TRIGGER jobs_no_truncate BEFORE TRUNCATE ON jobs
    EXECUTE FUNCTION refuse_change_of_history('jobs can not be truncated')
    """,
)

JOB_HISTORY = """
    CREATE VIEW job_history AS
    SELECT t.job_id, j.name AS job_name, t.sequence, t.transition_id, t.status, t.time_stamp, t.due_time,
           t.lateness_ms, t.trigger_type, t.requested_proc_state, t.current_proc_state,
           {samples} AS samples, {elements} AS elements, {pts} AS pts, {time_base} AS time_base,
           t.info, t.actor, t.hash, t.previous_hash
    FROM transitions t JOIN jobs j ON j.job_id = t.job_id
    WHERE t.sequence IS NOT NULL
"""
JOB_HISTORY_SQLITE = JOB_HISTORY.format(
    **{
        name: f"json_extract(t.stream_position, '$.{key}')"
        for name, key in (
            ("samples", "samples"),
            ("elements", "elements"),
            ("pts", "pts"),
            ("time_base", "timeBase"),
        )
    }
)
JOB_HISTORY_POSTGRESQL = JOB_HISTORY.format(
    samples="(t.stream_position::json ->> 'samples')::bigint",
    elements="(t.stream_position::json ->> 'elements')::bigint",
    pts="(t.stream_position::json ->> 'pts')::bigint",
    time_base="t.stream_position::json ->> 'timeBase'",
)

# A span begins with the row that brought another state; a job is Pending from its creation.
SPANS = """
    CREATE VIEW job_state_spans AS
    WITH reached AS (
        SELECT job_id, 0 AS sequence, 'Pending' AS state, created_time AS time FROM jobs
        UNION ALL
        SELECT job_id, sequence, current_proc_state, time_stamp FROM transitions
        WHERE status = 'Passed' AND current_proc_state IS NOT NULL
    ), compared AS (
        SELECT job_id, sequence, state, time,
               lag(state) OVER (PARTITION BY job_id ORDER BY sequence) AS state_before
        FROM reached
    ), changed AS (
        SELECT job_id, sequence, state, time AS from_time,
               lead(time) OVER (PARTITION BY job_id ORDER BY sequence) AS to_time
        FROM compared WHERE state_before IS NULL OR state_before <> state
    )
    SELECT job_id, state, from_time, to_time, {seconds} AS seconds FROM changed
"""
SPANS_SQLITE = SPANS.format(
    seconds="(strftime('%s', to_time) - strftime('%s', from_time)) "
    "+ (substr(to_time, 21, 6) - substr(from_time, 21, 6)) / 1e6"
)
SPANS_POSTGRESQL = SPANS.format(
    seconds="extract(epoch FROM to_time::timestamptz - from_time::timestamptz)::double precision"
)


def upgrade() -> None:
    _create_api_keys()
    _create_events()
    _create_idempotency()
    _create_jobs()
    _create_services()
    _create_variables()
    _create_outputs()
    _create_transitions()
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in SQLITE_TRIGGERS if sqlite else POSTGRESQL_TRIGGERS:
        op.execute(sa.text(statement.replace(":", "\\:")))
    for view in (JOB_HISTORY_SQLITE, SPANS_SQLITE) if sqlite else (JOB_HISTORY_POSTGRESQL, SPANS_POSTGRESQL):
        op.execute(sa.text(view.replace(":", "\\:")))


def downgrade() -> None:
    op.execute("DROP VIEW job_state_spans")
    op.execute("DROP VIEW job_history")
    op.drop_table("transitions")
    op.drop_table("outputs")
    op.drop_table("variables")
    op.drop_table("services")
    op.drop_table("jobs")
    op.drop_table("idempotency")
    op.drop_table("events")
    op.drop_table("api_keys")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_change_of_history")


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("key_id", STRING, nullable=False),
        sa.Column("secret_hash", STRING, nullable=False),
        sa.Column("role", STRING, nullable=False),
        sa.Column("name", STRING, nullable=False),
        sa.Column("created_time", STRING, nullable=False),
        sa.Column("expires_time", STRING),
        sa.Column("revoked_time", STRING),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
    )


def _create_events() -> None:
    op.create_table(
        "events",
        sa.Column("sequence", NUMBER, autoincrement=True, nullable=False),
        sa.Column("time", STRING, nullable=False),
        sa.Column("type", STRING, nullable=False),
        sa.Column("job_id", STRING),
        sa.Column("data", STRING, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_events_time", "events", ["time"])


def _create_idempotency() -> None:
    op.create_table(
        "idempotency",
        sa.Column("scope", STRING, nullable=False),
        sa.Column("key", STRING, nullable=False),
        sa.Column("request_hash", STRING, nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("job_id", STRING),
        sa.Column("response", STRING),
        sa.Column("created_time", STRING, nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_time", "idempotency", ["created_time"])


def _create_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("job_id", STRING, nullable=False),
        sa.Column("name", STRING, nullable=False),
        sa.Column("alias", STRING, nullable=False),
        sa.Column("kind", STRING),
        sa.Column("client_data", DOCUMENT),
        sa.Column("restart_policy", STRING, nullable=False),
        sa.Column("current_state", STRING, nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("processing_host", STRING, nullable=False),
        sa.Column("worker_process_id", NUMBER, nullable=False),
        sa.Column("status_message", STRING, nullable=False),
        sa.Column("friendly_status_message", STRING, nullable=False),
        sa.Column("created_time", STRING, nullable=False),
        sa.Column("updated_time", STRING, nullable=False),
        sa.Column("deleted_time", STRING),
        sa.Column("revision", NUMBER, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("service", STRING),
        sa.Column("report_sequence", NUMBER, nullable=False),
        sa.Column("history_length", NUMBER, nullable=False),
        sa.Column("history_hash", STRING, nullable=False),
        sa.Column("transition_count", NUMBER, nullable=False),
        sa.CheckConstraint(
            "current_state IN ('Pending', 'Waiting', 'Running', 'Paused', 'Updating', 'Finished', 'Cancelled', 'Error', 'Terminated')",
            name=op.f("ck_jobs_current_state"),
        ),
        sa.CheckConstraint(
            "is_active <> (current_state IN ('Cancelled', 'Error', 'Finished', 'Terminated'))",
            name=op.f("ck_jobs_is_active"),
        ),
        sa.CheckConstraint("restart_policy IN ('never', 'resume')", name=op.f("ck_jobs_restart_policy")),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_jobs")),
    )
    op.create_index("ix_jobs_created_time_job_id", "jobs", ["created_time", "job_id"])
    op.create_index("ix_jobs_current_state", "jobs", ["current_state"])
    op.create_index("ix_jobs_is_active", "jobs", ["is_active"])


def _create_services() -> None:
    op.create_table(
        "services",
        sa.Column("name", STRING, nullable=False),
        sa.Column("epoch", NUMBER, nullable=False),
        sa.Column("process_id", NUMBER, nullable=False),
        sa.Column("url", STRING, nullable=False),
        sa.Column("started_time", STRING, nullable=False),
        sa.Column("alive_time", STRING, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_services")),
    )


def _create_variables() -> None:
    op.create_table(
        "variables",
        sa.Column("name", STRING, nullable=False),
        sa.Column("value", STRING, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_variables")),
    )


def _create_outputs() -> None:
    op.create_table(
        "outputs",
        sa.Column("job_id", STRING, nullable=False),
        sa.Column("number", NUMBER, nullable=False),
        sa.Column("graph", STRING, nullable=False),
        sa.Column("kind", STRING, nullable=False),
        sa.Column("path", STRING),
        sa.Column("url", STRING),
        sa.Column("start_time", STRING, nullable=False),
        sa.Column("start_position", NUMBER, nullable=False),
        sa.Column("samples", NUMBER),
        sa.Column("elements", NUMBER),
        sa.Column("closed", sa.Boolean(), nullable=False),
        sa.CheckConstraint("kind IN ('file', 'stream', 'device', 'content')", name=op.f("ck_outputs_kind")),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_outputs_job_id")),
        sa.PrimaryKeyConstraint("job_id", "number", name=op.f("pk_outputs")),
    )


def _create_transitions() -> None:
    op.create_table(
        "transitions",
        sa.Column("transition_id", STRING, nullable=False),
        sa.Column("job_id", STRING, nullable=False),
        sa.Column("position", NUMBER),
        sa.Column("trigger_type", STRING, nullable=False),
        sa.Column("requested_proc_state", STRING, nullable=False),
        sa.Column("trigger", STRING, nullable=False),
        sa.Column("job_description", STRING),
        sa.Column("resolved", STRING),
        sa.Column("info", STRING),
        sa.Column("actor", STRING, nullable=False),
        sa.Column("created_time", STRING, nullable=False),
        sa.Column("event_name", STRING),
        sa.Column("due_time", STRING),
        sa.Column("wake_time", STRING),
        sa.Column("status", STRING, nullable=False),
        sa.Column("sequence", NUMBER),
        sa.Column("time_stamp", STRING),
        sa.Column("lateness_ms", sa.Double()),
        sa.Column("current_proc_state", STRING),
        sa.Column("stream_position", STRING),
        sa.Column("superseded_by", STRING),
        sa.Column("previous_hash", STRING, nullable=False),
        sa.Column("hash", STRING, nullable=False),
        sa.CheckConstraint(
            "current_proc_state IN ('Pending', 'Waiting', 'Running', 'Paused', 'Updating', 'Finished', 'Cancelled', 'Error', 'Terminated')",
            name=op.f("ck_transitions_current_proc_state"),
        ),
        sa.CheckConstraint(
            "requested_proc_state IN ('None', 'Wait', 'Pause', 'Start', 'Finish', 'Cancel', 'Update', 'Fail', 'Terminate')",
            name=op.f("ck_transitions_requested_proc_state"),
        ),
        sa.CheckConstraint(
            "status IN ('Pending', 'Passed', 'Skipped', 'Superseded')", name=op.f("ck_transitions_status")
        ),
        sa.CheckConstraint(
            "status NOT IN ('Passed', 'Skipped') OR (sequence IS NOT NULL AND time_stamp IS NOT NULL AND hash <> '')",
            name=op.f("ck_transitions_settled_is_complete"),
        ),
        sa.CheckConstraint(
            "trigger_type IN ('Immediate', 'Time', 'Duration', 'Level', 'Event', 'Stream', 'Implicit', 'OutputSwitch')",
            name=op.f("ck_transitions_trigger_type"),
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.job_id"], name=op.f("fk_transitions_job_id")),
        sa.PrimaryKeyConstraint("transition_id", name=op.f("pk_transitions")),
        sa.UniqueConstraint("job_id", "sequence", name=op.f("uq_transitions_job_id_sequence")),
    )
    op.create_index(
        "ix_transitions_event_name",
        "transitions",
        ["event_name"],
        sqlite_where=sa.text("status = 'Pending' AND event_name IS NOT NULL"),
        postgresql_where=sa.text("status = 'Pending' AND event_name IS NOT NULL"),
    )
    op.create_index("ix_transitions_job_id_position", "transitions", ["job_id", "position"])
    op.create_index(
        "ix_transitions_wake_time",
        "transitions",
        ["wake_time"],
        sqlite_where=sa.text("status = 'Pending' AND wake_time IS NOT NULL"),
        postgresql_where=sa.text("status = 'Pending' AND wake_time IS NOT NULL"),
    )
