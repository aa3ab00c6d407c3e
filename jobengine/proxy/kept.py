"""Answers that the http process has told of, while they hold.

An answer holds for requests with the very same head: until something is committed to the contents store, or
API keys have to be looked at again.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from jobengine.model.file_span import FileSpan
from jobengine.proxy.heads import ToldHead

MAX_ANSWERS = 4096
"""A head may have 8 KiB, and its answer 2: bounds the memory. Beyond, all are forgotten."""


class OpenFile:
    """A file that stays open as long as somebody refers to this."""

    def __init__(self, path: str) -> None:
        """Raises OSError."""
        self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.descriptor)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent: a head with an id between its parts, and bytes of a file from ``begin`` to ``end``."""

    before: bytes
    behind: bytes
    file: OpenFile
    begin: int
    end: int
    version: int
    until_ns: int


class KeptAnswers:
    """Answers by the head of the request. Not safe to share between threads.

    ``version`` tells the contents store's, None as long as it can't; it must not block.
    """

    def __init__(self, version: Callable[[], int | None]) -> None:
        self._version = version
        self._answers: dict[bytes, Answer] = {}
        self._files: weakref.WeakValueDictionary[str, OpenFile] = weakref.WeakValueDictionary()

    @property
    def count(self) -> int:
        """How many there are, also of those that hold no longer."""
        return len(self._answers)

    def get(self, head: bytes, now_ns: int) -> Answer | None:
        """The answer to a request, if one is known that holds now."""
        answer = self._answers.get(head)
        if answer is None or answer.until_ns < now_ns or answer.version != self._version():
            return None
        return answer

    def keep(self, head: bytes, told: ToldHead) -> Answer:
        """The answer that was told, for this request and further ones. Raises OSError if its file is gone."""
        body = told.body
        span: FileSpan = body.span
        file = self._files.get(span.path)
        if file is None:
            self._files[span.path] = file = OpenFile(span.path)
        end = span.offset + span.length
        answer = Answer(told.before, told.behind, file, span.offset, end, body.version, body.until_ns)
        if len(self._answers) >= MAX_ANSWERS:
            self._answers.clear()
        self._answers[head] = answer
        return answer

    def forget_old(self, now_ns: int) -> None:
        """Let answers go that hold no longer, with their files."""
        version = self._version()
        self._answers = {
            head: answer
            for head, answer in self._answers.items()
            if answer.until_ns >= now_ns and answer.version == version
        }

    def forget_all(self) -> None:
        """Let all answers go, with their files."""
        self._answers.clear()
