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

ROOM = "room"
"""Column of `jobs` and `transitions` that no row gives: the database fills it, see decision 0032."""

HAS_WORKER = f"worker_process_id <> 0 OR current_state = '{JobState.UPDATING}'"
"""A job that has a worker, had one at its end, or waits for another."""

jobs = Table(
    "jobs",
    metadata,
    Column("job_id", String, primary_key=True, doc="UUIDv7; its first 48 bits are the time it was made."),
    Column("name", String, nullable=False, doc="For people."),
    Column("alias", String, nullable=False, doc="The client's own numbering."),
    Column("kind", String, doc="Kind of work; NULL before the first description."),
    Column("client_data", Document, doc="The client's JSON."),
    Column("restart_policy", String, nullable=False, doc="What follows on a lost worker."),
    Column("current_state", String, nullable=False, doc="State of the lifecycle, after the last transition."),
    Column("is_active", Boolean, nullable=False, doc="Whether that state is not final."),
    Column("processing_host", String, nullable=False, doc="Host that runs it."),
    Column("worker_process_id", Number, nullable=False, doc="Process that runs it; 0 for none."),
    Column("status_message", String, nullable=False, doc="Why it is as it is, for logs."),
    Column("friendly_status_message", String, nullable=False, doc="The same for people."),
    Column("created_time", String, nullable=False, doc="When it was posted."),
    Column("updated_time", String, nullable=False, doc="When this row last changed."),
    Column("deleted_time", String, doc="When it was deleted: hidden, with its history kept."),
    Column("revision", Number, nullable=False, doc="Grows with every change; the ETag."),
    Column(
        "epoch",
        Number,
        nullable=False,
        doc="Start of the service that wrote last; an older one can write no more.",
    ),
    Column("service", String, doc="Service that runs it."),
    Column(
        "report_sequence", Number, nullable=False, doc="Last report of the worker that is in the history."
    ),
    Column("history_length", Number, nullable=False, doc="How many rows of its history there are."),
    Column("history_hash", String, nullable=False, doc="Hash of the last of them."),
    Column(
        "transition_count", Number, nullable=False, doc="How many transitions it ever had, planned ones too."
    ),
    Column(ROOM, String, doc="Blanks, in SQLite, that give way to the hash of its history."),
    CheckConstraint(one_of("restart_policy", RESTART_POLICIES), name="restart_policy"),
    CheckConstraint(one_of("current_state", JobState), name="current_state"),
    CheckConstraint(FINAL_IS_INACTIVE, name="is_active"),
    Index("ix_jobs_current_state", "current_state"),
    Index("ix_jobs_with_worker", "service", sqlite_where=text(HAS_WORKER), postgresql_where=text(HAS_WORKER)),
    Index("ix_jobs_created_time_job_id", "created_time", "job_id"),
)

PENDING_AND_WAKING = "status = 'Pending' AND wake_time IS NOT NULL"
PENDING_EVENT = "status = 'Pending' AND event_name IS NOT NULL"

transitions = Table(
    "transitions",
    metadata,
    Column("transition_id", String, primary_key=True, doc="UUIDv7."),
    Column("job_id", String, ForeignKey("jobs.job_id"), nullable=False, doc="The job."),
    Column("position", Number, doc="Place in the plan."),
    Column("trigger_type", String, nullable=False, doc="Type of the trigger."),
    Column("requested_proc_state", String, nullable=False, doc="State that was asked for."),
    Column("trigger", String, nullable=False, doc="The trigger as posted, JSON."),
    Column("job_description", String, doc="What changed of the description, JSON as posted."),
    Column("resolved", String, doc="Values of its placeholders, JSON."),
    Column("info", String, doc="Beside it: the client's, or the engine's reasons, JSON."),
    Column("actor", String, nullable=False, doc="Who: the name of a key, or a part of the engine."),
    Column("created_time", String, nullable=False, doc="When it was appended."),
    Column("event_name", String, doc="Event that it waits for."),
    Column("due_time", String, doc="When it is, or was, due."),
    Column("wake_time", String, doc="When the engine looks at it next."),
    Column("status", String, nullable=False, doc="Pending, or how it was settled."),
    Column("sequence", Number, doc="Number in the job's history, from 1, without a gap."),
    Column("time_stamp", String, doc="When it was settled."),
    Column("lateness_ms", Double, doc="How much later than due, in milliseconds."),
    Column("current_proc_state", String, doc="State of the job from then on."),
    Column("stream_position", String, doc="Where on the stream clock it took effect, JSON."),
    Column("superseded_by", String, doc="Transition that an edit put in its place."),
    Column("previous_hash", String, nullable=False, doc="Hash of the row before it in the job's history."),
    Column("hash", String, nullable=False, doc="SHA-256 over this row and that hash."),
    Column(ROOM, String, doc="Blanks, in SQLite, that give way to what passing adds."),
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
        "transition_id",
        sqlite_where=text(PENDING_AND_WAKING),
        postgresql_where=text(PENDING_AND_WAKING),
    ),
    Index(
        "ix_transitions_event_name",
        "event_name",
        sqlite_where=text(PENDING_EVENT),
        postgresql_where=text(PENDING_EVENT),
    ),
)

outputs = Table(
    "outputs",
    metadata,
    Column("job_id", String, ForeignKey("jobs.job_id"), nullable=False, doc="The job."),
    Column("number", Number, nullable=False, doc="From 1 within the job."),
    Column("graph", String, nullable=False, doc="Name of the output."),
    Column("kind", String, nullable=False, doc="What it is."),
    Column("path", String, doc="Real path of a file."),
    Column("url", String, doc="Address of what is no file."),
    Column("start_time", String, nullable=False, doc="Wall time of its first sample or element."),
    Column("start_position", Number, nullable=False, doc="Stream position of it."),
    Column("samples", Number, doc="How many samples it has."),
    Column("elements", Number, doc="How many elements it has."),
    Column("closed", Boolean, nullable=False, doc="Whether it is complete."),
    PrimaryKeyConstraint("job_id", "number"),
    CheckConstraint(one_of("kind", ("file", "stream", "device", "content")), name="kind"),
)

events = Table(
    "events",
    metadata,
    Column("sequence", Number, primary_key=True, autoincrement=True, doc="Number in the feed."),
    Column("time", String, nullable=False, doc="When it happened."),
    Column("type", String, nullable=False, doc="What happened."),
    Column("job_id", String, doc="The job it is about."),
    Column("data", String, nullable=False, doc="What there is to say of it, JSON."),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("scope", String, nullable=False, doc="Caller and operation."),
    Column("key", String, nullable=False, doc="The Idempotency-Key."),
    Column(
        "request_hash",
        String,
        nullable=False,
        doc="Hash of the request; another one with this key is refused.",
    ),
    Column("status", Integer, nullable=False, doc="HTTP status of the answer."),
    Column("job_id", String, doc="The job that was made."),
    Column("response", String, doc="The answer, JSON."),
    Column("created_time", String, nullable=False, doc="When it was first used."),
    PrimaryKeyConstraint("scope", "key"),
    Index("ix_idempotency_created_time", "created_time"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("key_id", String, primary_key=True, doc="The part before the dot."),
    Column("secret_hash", String, nullable=False, doc="Hash of the rest; the key itself is nowhere."),
    Column("role", String, nullable=False, doc="What it may do."),
    Column("name", String, nullable=False, doc="Whose it is; the actor in histories."),
    Column("created_time", String, nullable=False, doc="When it was made."),
    Column("expires_time", String, doc="When it ends."),
    Column("revoked_time", String, doc="When it was revoked."),
)

services = Table(
    "services",
    metadata,
    Column("name", String, primary_key=True, doc="Host or configured name."),
    Column("epoch", Number, nullable=False, doc="Counts its starts."),
    Column("process_id", Number, nullable=False, doc="Its engine's process."),
    Column("url", String, nullable=False, doc="Where it answers."),
    Column("started_time", String, nullable=False, doc="When it started."),
    Column("alive_time", String, nullable=False, doc="When it last said so."),
)

variables = Table(
    "variables",
    metadata,
    Column("name", String, primary_key=True, doc="Name."),
    Column("value", String, nullable=False, doc="Value, JSON."),
)
