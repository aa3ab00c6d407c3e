"""A commit as it goes to Redis: what must still be so, bytes that go ahead, and the commands to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from jobengine.contents.redis_store.wire import Command, Rope, Word

WORDS_MAX: Final = 4_000
"""Of one command inside a script: Lua unpacks no more than about 8000."""
STAGED_S: Final = 120
"""How long bytes that went ahead of their commit wait for it before Redis forgets them."""
REMEMBERED_MS: Final = 600_000
"""How long the id of a commit is known, so that a repeated one is done once."""


class Request:
    """Collects the parts of one commit. ``stamp`` is its id; ``is_release``: it only lets things go."""

    def __init__(self, stamp: bytes, is_release: bool) -> None:
        self.stamp = stamp
        self.is_release = is_release
        self._guards: dict[bytes, bytes] = {}
        self._staged: dict[bytes, Rope] = {}
        self._words: list[Word] = []

    def guard(self, key: bytes, stamp: bytes) -> None:
        """The value of ``key`` must begin with this stamp; empty: it must not be there."""
        self._guards[key] = stamp

    def stage(self, key: bytes, value: Rope) -> None:
        """A string that is sent ahead and becomes lasting with the commit."""
        self._staged[key] = value

    def add(self, *command: Word) -> None:
        """One command more."""
        self._words.append(len(command))
        self._words += command

    def add_many(self, name: str, key: bytes, words: Sequence[Word], per_item: int = 1) -> None:
        """A command with any number of items of ``per_item`` words, in as many pieces as it needs."""
        rest = iter(words)
        while piece := list(islice(rest, WORDS_MAX // per_item * per_item)):
            self.add(name, key, *piece)

    @property
    def changes_anything(self) -> bool:
        """Whether there is a command."""
        return bool(self._words)

    def ahead(self) -> list[Command]:
        """Commands that bring the staged strings there; NX, or a repeated one would limit a lasting one."""
        return [("SET", key, value, "EX", STAGED_S, "NX") for key, value in self._staged.items()]

    def arguments(self) -> list[Word]:
        """Of the script."""
        guards: Iterable[Word] = (word for guard in self._guards.items() for word in guard)
        words: list[Word] = [self.stamp, REMEMBERED_MS, len(self._guards), *guards]
        return [*words, len(self._staged), *self._staged, *self._words]
