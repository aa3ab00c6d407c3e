"""What the proxy and the http process of one service have in common; the main process makes it for both."""

from __future__ import annotations

import secrets
from multiprocessing import RawValue

_SECRET_BYTES = 16


class ProxyLink:
    """``socket``: path at which the http process listens; ``secret``: known to these processes alone.

    Can be given to processes when they are started. Only one of them counts.
    """

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self.secret = secrets.token_hex(_SECRET_BYTES)
        self._answers = RawValue("Q", 0)

    def count_answer(self) -> None:
        """The proxy has answered a request without asking."""
        self._answers.value += 1

    def answers(self) -> int:
        """How many such answers there were since the service was started."""
        return int(self._answers.value)
