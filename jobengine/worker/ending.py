"""Why a worker ends its job though neither the plan nor the input has come to an end."""

from __future__ import annotations

from collections.abc import Callable

from jobengine.worker.stop_signal import StopSignal


class Ending:
    """``is_orphan``: whether no service was heard of for ``orphan_grace_s``."""

    def __init__(self, signals: StopSignal, is_orphan: Callable[[], bool], orphan_grace_s: float) -> None:
        self._signals = signals
        self._is_orphan = is_orphan
        self._orphan_grace_s = orphan_grace_s
        self._is_fenced = False

    def fence(self) -> None:
        """The service has taken the job from this worker."""
        self._is_fenced = True

    @property
    def is_told(self) -> bool:
        """Whether the process was told to stop; cheap enough to be asked with each block of a recording."""
        return self._signals.stop

    def reason(self) -> str:
        """In words; empty as long as there is none."""
        if self.is_told:
            return "the worker was told to stop by a signal"
        if self._is_fenced:
            return "the service has taken the job from this worker"
        if self._is_orphan():
            return f"no service was heard of for {self._orphan_grace_s:g} s"
        return ""
