"""Whose rows the database does not take, or can't be made, of groups that could not be written."""

from __future__ import annotations

from jobengine.engine.blame import Blamed, is_crowd
from jobengine.engine.decisions import Decisions
from jobengine.errors import ConflictError, UnavailableError
from jobengine.history.batch import Batch
from jobengine.history.store import SqlJobStore


def blame_rows(store: SqlJobStore, failed: Decisions) -> Blamed | None:
    """Try the rows of each job by themselves; nothing is kept. None: no job and no request is to blame.

    Blocks for the database. Raises UnavailableError.
    """
    parts = [part for batch in [*failed.dropped, failed.batch] for part in batch.parts().items()]
    tried = [(job_id, _refused(store, part)) for job_id, part in parts]
    refused = {job_id: error for job_id, error in tried if error is not None}
    if not refused or is_crowd(len(refused), len(parts)):
        return None
    jobless = refused.pop("", None)
    if jobless is None:
        return Blamed(refused)
    about_none = [r.request_id for _, r in failed.requests if not getattr(r, "job_id", "")]
    return Blamed(refused, dict.fromkeys(about_none, jobless))


def _refused(store: SqlJobStore, part: Batch) -> Exception | None:
    try:
        store.try_out(part)
    except UnavailableError:
        raise
    except ConflictError as error:
        return None if "service" in error.facts else error
    except Exception as error:
        return error
    return None
