"""What a nursery begins with: it ends with its parent from the first moment on, and imports everything then.

python -m jobengine.worker.nursery_entry PARENT
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from importlib import import_module

_PR_SET_PDEATHSIG = 1


def _die_with(parent: int) -> None:
    """Linux: the kernel ends the nursery when ``parent`` is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(0)


if __name__ == "__main__":
    _die_with(int(sys.argv[1]))
    import_module("jobengine.worker.nursery").main()
