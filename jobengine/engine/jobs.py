"""The jobs that the engine has in memory, read from the store when they are needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

from jobengine.clock import Clock
from jobengine.engine.blame import Blamed, is_crowd, own
from jobengine.engine.live_job import LiveJob
from jobengine.errors import JobEngineError
from jobengine.history.store import SqlJobStore

TRIMMED_AT_ONCE = 100


class Jobs:
    """Live jobs by id. Those with a worker stay; of the others the least used leave beyond ``limit``.

    ``await_groups`` waits until what was decided about some jobs is on disk, and can be read.
    """

    def __init__(
        self, store: SqlJobStore, clock: Clock, limit: int, await_groups: Callable[[Iterable[str]], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._limit = limit
        self._await_groups = await_groups
        self._jobs: OrderedDict[str, LiveJob] = OrderedDict()
        self._left_out: set[str] = set()

    def get(self, job_id: str) -> LiveJob | None:
        """A job, if it is in memory."""
        job = self._jobs.get(job_id)
        if job is not None:
            self._jobs.move_to_end(job_id)
        return job

    def load(self, job_ids: Iterable[str]) -> None:
        """Have jobs in memory, as they are on disk or in the open group. Unknown ones are passed over, and
        those that are left out.

        Waits for the disk where a group under way has decided about one of them. Raises UnavailableError, and
        Blamed for jobs of which something can't be read, when all others are in memory.
        """
        wanted = list(job_ids)
        self._await_groups(wanted)
        missing = [job_id for job_id in dict.fromkeys(wanted) if job_id not in self._jobs]
        if self._left_out:
            missing = [job_id for job_id in missing if job_id not in self._left_out]
        if not missing:
            return
        try:
            self._read(missing)
        except JobEngineError:
            raise
        except Exception:
            self._read_each(missing)

    def _read(self, missing: Sequence[str]) -> None:
        loaded = self._store.load_jobs(missing)
        for one in loaded.values():
            self.add(LiveJob.load(one, self._clock))
        for output in self._store.load_outputs([i for i, one in loaded.items() if one.job.kind]):
            self._jobs[output.job_id].outputs[output.number] = output

    def _read_each(self, missing: Sequence[str]) -> None:
        """One after the other, to find out which can't be read; of those that are over only that matters."""
        blamed: dict[str, Exception] = {}
        for job_id in missing:
            self.drop(job_id)
            try:
                self._read([job_id])
            except Exception as error:
                self.drop(job_id)
                if not self._is_over(job_id):
                    blamed[job_id] = own(error)
        if is_crowd(len(blamed), len(missing)):
            raise next(iter(blamed.values()))
        if blamed:
            raise Blamed(blamed, is_stored=True)

    def _is_over(self, job_id: str) -> bool:
        """Whether what can be read of a job says so; then it is in memory as far as it can be read."""
        try:
            bare = self._store.load_bare(job_id)
        except JobEngineError:
            raise
        except Exception:
            return False
        if bare is None or not bare.job.current_state.is_final:
            return False
        self.add(LiveJob(bare.job, self._clock))
        return True

    def loaded(self, job_ids: Iterable[str]) -> list[LiveJob]:
        """As `load`; those of the jobs that there are."""
        wanted = list(job_ids)
        self.load(wanted)
        return [job for job_id in wanted if (job := self.get(job_id)) is not None]

    def add(self, job: LiveJob) -> None:
        """A job that nobody has to load."""
        self._jobs[job.record.job_id] = job

    def drop(self, job_id: str) -> None:
        """Forget a job: what the database holds of it is not what is here."""
        self._jobs.pop(job_id, None)

    def leave_out(self, job_id: str) -> None:
        """Don't read a job, until it is taken in again."""
        self.drop(job_id)
        self._left_out.add(job_id)

    def take_in(self, job_id: str) -> None:
        """A job that was left out can be read again."""
        self._left_out.discard(job_id)

    def is_left_out(self, job_id: str) -> bool:
        return job_id in self._left_out

    def clear(self) -> None:
        """Forget everything: what the database holds is not what is here."""
        self._jobs.clear()

    def trim(self, is_busy: Callable[[str], bool]) -> None:
        """Let some of the least used go, as long as there are too many: to free many at once takes long.

        Those that are awaited, or of which the database does not know everything yet, count as used.
        """
        for _ in range(min(TRIMMED_AT_ONCE, len(self._jobs) - self._limit)):
            job_id, job = next(iter(self._jobs.items()))
            if job.is_idle and job.appointment is None and not is_busy(job_id):
                del self._jobs[job_id]
            else:
                self._jobs.move_to_end(job_id)

    def __iter__(self) -> Iterator[LiveJob]:
        return iter(self._jobs.values())
