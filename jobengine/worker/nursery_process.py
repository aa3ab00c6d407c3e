"""The nursery as whoever has started it knows it: a process at the other end of a socket.

It imports for more than a second, so the main process of a service starts the first and hands it over to the
engine. Whose child it is makes no difference but for its exit code.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import NamedTuple

from jobengine.messaging.worker_messages import Keep, encode

STOP_TIMEOUT_S = 5.0


class NurseryProcess(NamedTuple):
    """``channel`` is the socket of messages to it, which its owner closes by `end`; it can be given to a
    process that is started."""

    channel: socket.socket
    process_id: int

    def end(self, at_once: bool = False) -> int | None:
        """Close the channel, by which it ends; kill it if it takes longer than `STOP_TIMEOUT_S`, or if it is
        to end ``at_once``. Blocks until it has ended.

        Its exit code, or minus the signal that ended it; None where it is another's child.
        """
        self.channel.close()
        with suppress(ProcessLookupError):
            process = os.pidfd_open(self.process_id)
            try:
                if at_once or not select.select((process,), (), (), STOP_TIMEOUT_S)[0]:
                    signal.pidfd_send_signal(process, signal.SIGKILL)
                    select.select((process,), (), (), None)
            finally:
                os.close(process)
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.process_id, 0)[1])
        except ChildProcessError:
            return None


def start_nursery(keep: Keep) -> NurseryProcess:
    """Start one that keeps ``keep`` ready; returns at once.

    The thread that calls this must live as long as the nursery: the kernel ends it with that. The process
    must wait for its end, or `NurseryProcess.end` it.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        ours.send(encode(keep))  # while this end is open for certain: the process may end at once
        process_id = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "jobengine.worker.nursery_entry", str(os.getpid())],
            {**os.environ, "OPENBLAS_NUM_THREADS": "1"},
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 0)],
        )
    return NurseryProcess(ours, process_id)
