"""Recipes: what a ``convert`` job can make. The public base class, what it is given and what it gives back.

A recipe is a class that a package offers by an entry point of the group ``jobengine.recipes``; the guide is
docs/howto/write-a-recipe.rst. Recipes run in a worker of their own (`jobengine.worker.convert`); the service
imports them only to check parameters, so a recipe imports heavy libraries inside `Recipe.run`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pydantic import Field

from jobengine.model.casing import CamelModel
from jobengine.model.element import StoredElement, StreamFacts

Json = Any
Buffer = bytes | bytearray | memoryview
UNBOUNDED = 10_000


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a recipe: ``body``, or the ``file`` that `Task.new_file` gave it.

    ``media_type``, ``status`` and ``headers`` are those of the HTTP answer if a request waits for it. With
    ``is_declined`` the recipe has nothing to say to this request; the next rule, or the service itself,
    answers it. With neither body nor file, the service itself answers as well, anew after rules that run
    after it: so a recipe can fill in what was missing.
    """

    body: bytes | None = None
    file: Path | None = None
    media_type: str = "application/octet-stream"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_declined: bool = False


@dataclass(frozen=True, slots=True)
class Loaded:
    """An element with its payload. ``planes`` None: it was never stored, or is gone."""

    stored: StoredElement
    planes: Sequence[Buffer] | None


class Source(Protocol):
    """One stream of a content, and the elements of it that were asked for."""

    @property
    def content(self) -> str:
        """Name of the content."""
        ...

    @property
    def index(self) -> int:
        """Number of the stream within its content."""
        ...

    @property
    def stream(self) -> Mapping[str, Json]:
        """The stream's document: ``time_base``, ``codecpar`` and so on."""
        ...

    @property
    def reference(self) -> str:
        """The media reference as it was given."""
        ...

    @property
    def facts(self) -> StreamFacts:
        """Counts and bounds of the whole stream."""
        ...

    def elements(self) -> Iterator[Loaded]:
        """What the reference finds, in order of pts; read in pieces, so a range may have any length.

        Raises NotFoundError if it finds nothing.
        """
        ...

    def shown(self) -> Iterator[Loaded]:
        """As `elements`, but a single moment of real time means what is on show then: the last element at
        or before it, until that has ended.

        Raises NotFoundError if there is nothing.
        """
        ...

    def bounds(self) -> tuple[int, int]:
        """The pts of the first and of the last element that the reference finds.

        Raises NotFoundError if it finds nothing.
        """
        ...

    def from_key(self, pts: int) -> Iterator[Loaded]:
        """From the last key element at or before ``pts`` on (else from the first element) to the end of
        the stream, in order of pts; take no more than are needed."""
        ...


class Request(CamelModel):
    """The HTTP request that a rule made a job of. ``groups`` are the named groups of the rule's pattern."""

    rule: str = Field(description="Name of the rule.")
    method: str = Field(description="Method of the request.")
    path: str = Field(description="Path of the request, percent-encoded as it came.")
    query: dict[str, str] = Field({}, description="Query of the request.")
    groups: dict[str, str] = Field({}, description="The named groups of the rule's pattern, decoded.")
    status: int | None = Field(None, description="Status of the answer that a rule after the routes saw.")


class Task(Protocol):
    """What a recipe is given to work with. Belongs to one run; used by its thread only."""

    @property
    def sources(self) -> Sequence[Source]:
        """The streams to read; a source ``all`` has become one for each stream of the content."""
        ...

    @property
    def request(self) -> Request | None:
        """The request that waits; None for a job that was posted."""
        ...

    def passed(self, count: int = 1) -> None:
        """Say that ``count`` further elements are done: the job's stream clock goes on by them.

        Blocks while the job is paused, and raises `Stopped` once it is cancelled or has ended. Call it at
        least every second or so.
        """
        ...

    def new_file(self, suffix: str) -> Path:
        """The path for a result that is too large for memory. It is removed if the recipe fails."""
        ...


class Stopped(BaseException):
    """The job was cancelled or has ended while the recipe ran. Not to be caught, only passed on."""


class Recipe(ABC):
    """Base of all recipes: subclass it, say what `Parameters` there are, and do the work in `run`."""

    class Parameters(CamelModel):
        """No parameters. A subclass of this name in a recipe declares its own, with defaults."""

    least_sources: ClassVar[int] = 1
    most_sources: ClassVar[int] = UNBOUNDED

    @abstractmethod
    def run(self, task: Task, parameters: Any) -> Result:
        """Do the work. ``parameters`` is an instance of `Parameters`.

        May raise any `jobengine.errors.JobEngineError`: the job ends in Error with its sentence, and a
        waiting request gets its status (NotFoundError: 404). Anything else that is raised is an
        unexpected failure of the recipe and is answered with 500.
        """
