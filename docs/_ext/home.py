"""A home folder for the commands of a page, and the service that ``jobengine serve`` starts in it.

A page that starts a service has a home of its own. Pages that only use one share a home whose service is
started when the first of them is run. Pages say port 8484; here a free one stands for it.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from shutil import rmtree

import psutil

from tests.ports import free_port
from tests.processes import await_end
from tests.waiting import PATIENCE_S, wait_until

DOCS = Path(__file__).parents[1]
READY, ENDED = "ready", "ended"
PUBLISHED = "127.0.0.1:8484"
OWNER = "HOME_OF_DOCS"


class Home:
    """A folder with ``docs`` in it, as in a clone, and at most one running service."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="jobengine-docs-"))
        (self.folder / "docs").symlink_to(DOCS)
        self.address = f"127.0.0.1:{free_port()}"
        self._service: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What commands see: this folder is where everything is kept unless they say otherwise."""
        strange = ("JOBENGINE_", "XDG_")
        kept = {name: text for name, text in os.environ.items() if not name.startswith(strange)}
        return kept | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "JOBENGINE_URL": f"http://{self.address}",
            "JOBENGINE_HTTP__PORT": self.address.partition(":")[2],
            "JOBENGINE_ENGINE__PROCESSING_HOST": "studio-1",
        }

    def serve(self, command: str) -> str:
        """Start a service and wait until it is ready; what it printed if it refuses."""
        self.stop()
        log = self.folder / "service.log"
        with log.open("wb") as file:
            self._service = subprocess.Popen(
                shlex.split(command),
                cwd=self.folder,
                env={**self.environment, OWNER: str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        is_settled = wait_until(self._settled, "the service is ready or has ended")
        return "" if is_settled == READY else f"{log.read_text()}(exit code {self._service.returncode})\n"

    def stop(self) -> None:
        """Ctrl-C, if there is a service, and wait for its end."""
        if self._service is not None and self._service.poll() is None:
            self._service.send_signal(signal.SIGINT)
            self._service.wait(PATIENCE_S)

    def remove(self) -> None:
        """End the service and the workers that outlive it, and remove the folder."""
        self.stop()
        left = [process for process in psutil.process_iter() if self._owns(process)]
        for process in left:
            process.kill()
        await_end(left, "all that was left has ended")
        rmtree(self.folder)

    def _settled(self) -> str:
        if self._service is not None and self._service.poll() is not None:
            return ENDED
        try:
            with urllib.request.urlopen(f"http://{self.address}/readyz", timeout=5) as answer:
                return READY if answer.status == 200 else ""
        except OSError:
            return ""

    def _owns(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(OWNER) == str(self.folder)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False
