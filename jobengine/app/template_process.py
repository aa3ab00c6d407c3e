"""Makes the fork server that imports it, as a preload, the template of a service; elsewhere it does nothing.

It ends with the main process. A SIGTERM to all processes of a group is not for it: were it to end, the kernel
would end what is forked from it in the middle of an orderly stop. So it blocks the signal; a fork lets it
through (`jobengine.app.parent`).
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from importlib import import_module

from jobengine.app.parent import end_with_parent
from jobengine.worker.process_name import name_process

_NEEDED = (
    "jobengine.app.engine_process",
    "jobengine.app.http_process",
    "jobengine.app.proxy_process",
    "granian.server.mp",
)


def _become_template() -> None:
    end_with_parent(os.getppid())
    name_process("template")
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    gc.disable()
    for module in _NEEDED:
        import_module(module)
    gc.freeze()
    gc.enable()


if "multiprocessing.forkserver" in sys.orig_argv[-1]:  # the command by which Python starts it
    _become_template()
