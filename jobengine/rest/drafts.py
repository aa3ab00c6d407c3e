"""From posted documents to drafts that the engine takes: checked against what the job has, placeholders
filled in. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, cast

from jobengine.errors import DocumentError, Fault
from jobengine.messaging.engine_messages import Draft
from jobengine.model.check import Prior, Surroundings, check_transitions
from jobengine.model.document import JobDocument, TransitionDocument, read
from jobengine.model.placeholder import fill_in
from jobengine.model.record import TransitionRecord
from jobengine.model.salvage import further_faults
from jobengine.model.trigger import TriggerBase
from jobengine.rest.services import HttpServices

Json = Any


class _Variables(Mapping[str, Json]):
    """The variables of the database, read once when the first is asked for: most documents use none."""

    def __init__(self, read: Callable[[], Mapping[str, Json]]) -> None:
        self._read = read

    @cached_property
    def _all(self) -> Mapping[str, Json]:
        return self._read()

    def __getitem__(self, name: str) -> Json:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def surroundings(services: HttpServices) -> Surroundings:
    """What checks need to know of this service, as of now."""
    host = services.settings.engine.processing_host
    return Surroundings(services.roots, host, _Variables(services.reader.variables))


def read_job(value: Json, around: Surroundings) -> JobDocument:
    """A job as it was posted. Raises DocumentError with the faults of its shape, and of what can be read."""
    try:
        return read(JobDocument, value)
    except DocumentError as error:
        raise DocumentError([*error.faults, *further_faults(value, error.faults, around)]) from None


def new_drafts(documents: Sequence[TransitionDocument], around: Surroundings) -> tuple[Draft, ...]:
    """Drafts of a new job's transitions. Raises DocumentError with every fault."""
    faults = check_transitions(documents, Prior(), around)
    faults += [
        Fault(f"/transitions/{index}/volatile", "goes to a running job's worker; a new job has none")
        for index, document in enumerate(documents)
        if document.volatile
    ]
    if faults:
        raise DocumentError(faults)
    return tuple(draft(document, around) for document in documents)


def appended_drafts(
    services: HttpServices, prior: Prior, documents: Sequence[TransitionDocument], prefix: str
) -> tuple[Draft, ...]:
    """Drafts of transitions appended to a job; ``prefix`` is the pointer of their list ("" if posted bare).

    Raises DocumentError with every fault; volatile ones can't be mixed with those that are stored.
    """
    if not documents:
        return ()
    around = surroundings(services)
    faults = check_transitions(documents, prior, around, prefix)
    if len({document.volatile for document in documents}) > 1:
        first = next(index for index, document in enumerate(documents) if document.volatile)
        text = "can't be mixed with transitions that are stored; send them apart"
        faults.append(Fault(f"{prefix}/{first}/volatile", text))
    if faults:
        raise DocumentError(faults)
    return tuple(draft(document, around) for document in documents)


def draft(document: TransitionDocument, around: Surroundings) -> Draft:
    """One checked document as a draft."""
    description = document.job_description.document() if document.job_description else None
    resolved = None
    if description is not None:
        filled, values = fill_in(description, around.host, around.variables)
        resolved = {"description": filled, "values": values} if values else None
    trigger = cast(TriggerBase, document.trigger)  # a refused trigger does not outlive validation
    return Draft(trigger.document(), description, resolved, document.info)


def stored_document(transition: TransitionRecord) -> dict[str, Json]:
    """A transition as it was posted."""
    document = {
        "trigger": transition.trigger,
        "jobDescription": transition.job_description,
        "info": transition.info,
    }
    return {name: member for name, member in document.items() if member is not None}
