"""What the processes of a service are forked from: one process that has imported what they need.

It is Python's own fork server, so it has one thread, and forking it is safe whenever a part of the service is
started anew. What it does before it forks is in `jobengine.app.template_process`.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext


def start_template() -> ForkServerContext:
    """Start it if it does not run, and return at once; what is started in the context is forked from it.

    The thread that calls this must live as long as the processes: the kernel ends them with it.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["__main__", "jobengine.app.template_process"])
    forkserver.ensure_running()
    return context
