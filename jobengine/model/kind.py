"""The kinds of work, told in one place: which member of a description names one, how it is checked.

A further kind is one entry here and one file in ``jobengine/worker/``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jobengine.errors import Fault
from jobengine.model.convert import ConvertSpec, check_convert
from jobengine.model.ingest import IngestSpec, check_ingest
from jobengine.model.pipe import MERGE_KEYS as PIPE_MERGE_KEYS
from jobengine.model.pipe import PipeSpec, check_pipe
from jobengine.model.restream import CHANGEABLE as RESTREAM_CHANGEABLE
from jobengine.model.restream import RestreamSpec, check_restream
from jobengine.model.roots import MediaRoots


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work.

    ``changeable`` are the members that may change once a worker has prepared it. ``group``: jobs of kinds
    with the same group share worker processes; without one each job has a process of its own.
    """

    name: str
    key: str
    changeable: frozenset[str]
    check: Callable[[Mapping[str, Any], MediaRoots], list[Fault]]
    group: str = ""


def _check_pipe(specification: Mapping[str, Any], roots: MediaRoots) -> list[Fault]:
    return check_pipe(PipeSpec.model_validate(specification), roots)


def _check_convert(specification: Mapping[str, Any], roots: MediaRoots) -> list[Fault]:
    return check_convert(ConvertSpec.model_validate(specification), roots)


def _check_ingest(specification: Mapping[str, Any], roots: MediaRoots) -> list[Fault]:
    return check_ingest(IngestSpec.model_validate(specification), roots)


def _check_restream(specification: Mapping[str, Any], roots: MediaRoots) -> list[Fault]:
    return check_restream(RestreamSpec.model_validate(specification), roots)


KINDS: tuple[Kind, ...] = (
    Kind(name="pipe", key="pipeSpec", changeable=frozenset({"mixer"}), check=_check_pipe),
    Kind(name="convert", key="convertSpec", changeable=frozenset(), check=_check_convert),
    Kind(
        name="restream",
        key="restreamSpec",
        changeable=RESTREAM_CHANGEABLE,
        check=_check_restream,
        group="light",
    ),
    Kind(name="ingest", key="ingestSpec", changeable=frozenset(), check=_check_ingest),
)
GROUPS: tuple[str, ...] = tuple(dict.fromkeys(kind.group for kind in KINDS if kind.group))
MERGE_KEYS: Mapping[str, tuple[str, ...]] = {**PIPE_MERGE_KEYS}


def group_of(kind: str | None) -> str:
    """The group of a kind by its name; empty if its jobs share nothing."""
    return next((one.group for one in KINDS if one.name == kind), "")
