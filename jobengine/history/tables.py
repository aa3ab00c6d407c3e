"""The tables, once, for SQLite and PostgreSQL.

Times are text of fixed width as made by `jobengine.clock.to_text`, so they sort and read well in plain
SQL. Documents are canonical JSON text, so a row's hash covers exactly what is stored; only ``client_data``
is JSONB on PostgreSQL, because clients filter by it. The triggers that keep history append-only and the
views for auditors are in the migration, which is the only thing that creates tables.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from jobengine.model.lifecycle import (
    FINAL_STATES,
    EngineRequest,
    JobState,
    RequestedState,
    TransitionStatus,
    TriggerType,
)

RESTART_POLICIES = ("never", "resume")
"""What may stand in ``jobs.restart_policy``."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

String = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that both databases compare by code point."""

Document = Text().with_variant(JSONB(), "postgresql")
Number = BigInteger().with_variant(Integer(), "sqlite")


def one_of(column: str, values: Iterable[str]) -> str:
    """The SQL of a CHECK that ``column`` is one of ``values`` (or NULL).

    Not with IN: SQLite would build a table of the values each time a row is checked.
    """
    return " OR ".join(f"{column} = '{value}'" for value in values)


SETTLED_IS_COMPLETE = (
    "status NOT IN ('Passed', 'Skipped') OR (sequence IS NOT NULL AND time_stamp IS NOT NULL AND hash <> '')"
)
FINAL_IS_INACTIVE = "is_active <> (" + one_of("current_state", sorted(FINAL_STATES)) + ")"

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("alias", String, nullable=False),
    Column("kind", String),
    Column("client_data", Document),
    Column("restart_policy", String, nullable=False),
    Column("current_state", String, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("processing_host", String, nullable=False),
    Column("worker_process_id", Number, nullable=False),
    Column("status_message", String, nullable=False),
    Column("friendly_status_message", String, nullable=False),
    Column("created_time", String, nullable=False),
    Column("updated_time", String, nullable=False),
    Column("deleted_time", String),
    Column("revision", Number, nullable=False),
    Column("epoch", Number, nullable=False),
    Column("service", String),
    Column("report_sequence", Number, nullable=False),
    Column("history_length", Number, nullable=False),
    Column("history_hash", String, nullable=False),
    Column("transition_count", Number, nullable=False),
    CheckConstraint(one_of("restart_policy", RESTART_POLICIES), name="restart_policy"),
    CheckConstraint(one_of("current_state", JobState), name="current_state"),
    CheckConstraint(FINAL_IS_INACTIVE, name="is_active"),
    Index("ix_jobs_current_state", "current_state"),
    Index("ix_jobs_is_active", "is_active"),
    Index("ix_jobs_created_time_job_id", "created_time", "job_id"),
)

PENDING_AND_WAKING = "status = 'Pending' AND wake_time IS NOT NULL"
PENDING_EVENT = "status = 'Pending' AND event_name IS NOT NULL"

transitions = Table(
    "transitions",
    metadata,
    Column("transition_id", String, primary_key=True),
    Column("job_id", String, ForeignKey("jobs.job_id"), nullable=False),
    Column("position", Number),
    Column("trigger_type", String, nullable=False),
    Column("requested_proc_state", String, nullable=False),
    Column("trigger", String, nullable=False),
    Column("job_description", String),
    Column("resolved", String),
    Column("info", String),
    Column("actor", String, nullable=False),
    Column("created_time", String, nullable=False),
    Column("event_name", String),
    Column("due_time", String),
    Column("wake_time", String),
    Column("status", String, nullable=False),
    Column("sequence", Number),
    Column("time_stamp", String),
    Column("lateness_ms", Double),
    Column("current_proc_state", String),
    Column("stream_position", String),
    Column("superseded_by", String),
    Column("previous_hash", String, nullable=False),
    Column("hash", String, nullable=False),
    CheckConstraint(one_of("status", TransitionStatus), name="status"),
    CheckConstraint(one_of("trigger_type", TriggerType), name="trigger_type"),
    CheckConstraint(
        one_of("requested_proc_state", (*RequestedState, *EngineRequest)), name="requested_proc_state"
    ),
    CheckConstraint(one_of("current_proc_state", JobState), name="current_proc_state"),
    CheckConstraint(SETTLED_IS_COMPLETE, name="settled_is_complete"),
    UniqueConstraint("job_id", "sequence"),
    Index(
        "ix_transitions_wake_time",
        "wake_time",
        sqlite_where=text(PENDING_AND_WAKING),
        postgresql_where=text(PENDING_AND_WAKING),
    ),
    Index(
        "ix_transitions_event_name",
        "event_name",
        sqlite_where=text(PENDING_EVENT),
        postgresql_where=text(PENDING_EVENT),
    ),
    Index("ix_transitions_job_id_position", "job_id", "position"),
)

outputs = Table(
    "outputs",
    metadata,
    Column("job_id", String, ForeignKey("jobs.job_id"), nullable=False),
    Column("number", Number, nullable=False),
    Column("graph", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("path", String),
    Column("url", String),
    Column("start_time", String, nullable=False),
    Column("start_position", Number, nullable=False),
    Column("samples", Number),
    Column("elements", Number),
    Column("closed", Boolean, nullable=False),
    PrimaryKeyConstraint("job_id", "number"),
    CheckConstraint(one_of("kind", ("file", "stream", "device", "content")), name="kind"),
)

events = Table(
    "events",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=True),
    Column("time", String, nullable=False),
    Column("type", String, nullable=False),
    Column("job_id", String),
    Column("data", String, nullable=False),
    Index("ix_events_time", "time"),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", String, nullable=False),
    Column("key", String, nullable=False),
    Column("request_hash", String, nullable=False),
    Column("status", Integer, nullable=False),
    Column("job_id", String),
    Column("response", String),
    Column("created_time", String, nullable=False),
    PrimaryKeyConstraint("scope", "key"),
    Index("ix_idempotency_created_time", "created_time"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String, primary_key=True),
    Column("secret_hash", String, nullable=False),
    Column("role", String, nullable=False),
    Column("name", String, nullable=False),
    Column("created_time", String, nullable=False),
    Column("expires_time", String),
    Column("revoked_time", String),
)

services = Table(
    "services",
    metadata,
    Column("name", String, primary_key=True),
    Column("epoch", Number, nullable=False),
    Column("process_id", Number, nullable=False),
    Column("url", String, nullable=False),
    Column("started_time", String, nullable=False),
    Column("alive_time", String, nullable=False),
)

variables = Table(
    "variables",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", String, nullable=False),
)
