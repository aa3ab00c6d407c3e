"""``/api/jobs/{id}/transitions``: append, read, change and remove while pending."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from jobengine.errors import ConflictError, DocumentError, Fault, NotFoundError, RevisionMismatch
from jobengine.history.whole_jobs import WholeJob
from jobengine.messaging.engine_messages import (
    ChangeJob,
    ChangeTransition,
    Draft,
    RemoveTransition,
    SendVolatile,
)
from jobengine.model.check import check_transitions
from jobengine.model.document import TransitionDocument, TransitionPatch, read, read_transitions
from jobengine.model.lifecycle import TransitionStatus
from jobengine.model.record import TransitionRecord
from jobengine.rest.api import Answer, Api, Call, Route, json_response
from jobengine.rest.auth import Actor, Role
from jobengine.rest.body import MERGE_PATCH, read_body
from jobengine.rest.drafts import appended_drafts, draft, stored_document, surroundings
from jobengine.rest.job_address import JOB, JOBS, job_id_of
from jobengine.rest.job_view import disclosed, transition_view
from jobengine.rest.parameters import NoQuery
from jobengine.rest.priors import in_force, prior_of
from jobengine.rest.repetition import REPLAYED, idempotency_key, transitions_made
from jobengine.rest.revision import etag, expected_revision, is_known, not_modified
from jobengine.rest.services import HttpServices
from jobengine.rest.shapes import Object, TransitionList, TransitionsBody, TransitionShape
from jobengine.rest.transition_patch import patched, placed

Json = Any
LIST = f"{JOB}/transitions"
ONE = f"{LIST}/<transitionId>"


class TransitionRoutes:
    """A job's list."""

    def __init__(self, services: HttpServices) -> None:
        self._services = services
        self._limit = services.settings.http.max_document_bytes

    def append(self, call: Call[NoQuery]) -> Response:
        """Append one transition, a list of them, or `{"transitions": […]}`.

        Volatile ones are sent to the running worker only: 202, neither stored nor notified.
        """
        job_id = job_id_of(call)
        value, data = read_body(self._limit)
        key = idempotency_key(call.actor, f"POST {request.path}", data)
        try:
            revision, drafts, is_volatile = self._appended(job_id, value)
        except (DocumentError, RevisionMismatch):
            made = transitions_made(self._services.reader, key)
            if made is None:
                raise
            return self._created(job_id, made, call.actor, is_repeat=True)
        if is_volatile:
            self._services.engine.ask(SendVolatile, actor=call.actor.name, job_id=job_id, drafts=drafts)
            return json_response({"volatile": True, "sent": len(drafts)}, 202)
        accepted = self._services.engine.ask(
            ChangeJob,
            actor=call.actor.name,
            job_id=job_id,
            drafts=drafts,
            revision=revision,
            idempotency=key,
        )
        return self._created(job_id, accepted.transition_ids, call.actor, accepted.replayed)

    def _appended(self, job_id: str, value: Json) -> tuple[int | None, tuple[Draft, ...], bool]:
        """The revision that is to be changed, what is appended, and whether that is volatile."""
        job, prior = self._services.priors.read(job_id)
        revision = expected_revision(job.revision)
        documents = read_transitions(value)
        try:
            drafts = appended_drafts(self._services, prior, documents, _prefix(value))
        except DocumentError as error:
            raise _in_list_of_one(error) if isinstance(value, list) and len(value) == 1 else error from None
        return revision, drafts, documents[0].volatile

    def list_transitions(self, call: Call[NoQuery]) -> Response:
        """All transitions: settled ones as they passed, then planned and superseded ones in list order."""
        whole = self._services.whole_jobs.get(job_id_of(call))
        if is_known(whole.job.revision):
            return not_modified(whole.job.revision)
        views = [transition_view(transition) for transition in whole.transitions]
        return json_response(disclosed(views, call.actor), ETag=etag(whole.job.revision))

    def get(self, call: Call[NoQuery]) -> Response:
        """One transition."""
        whole = self._services.whole_jobs.get(job_id_of(call))
        view = transition_view(find(whole, call.path["transitionId"]))
        return json_response(disclosed(view, call.actor), ETag=etag(whole.job.revision))

    def change(self, call: Call[NoQuery]) -> Response:
        """Change a pending transition by merge patch (RFC 7396); `null` removes, lists are replaced whole.

        The changed transition is checked as if it were posted. The old row stays as Superseded.
        """
        whole = self._services.whole_jobs.get(job_id_of(call))
        revision = expected_revision(whole.job.revision, is_required=True)
        pending = _pending(whole, call.path["transitionId"])
        value, _ = read_body(self._limit, MERGE_PATCH)
        changed = self._checked(whole, pending, value)
        accepted = self._services.engine.ask(
            ChangeTransition,
            actor=call.actor.name,
            job_id=whole.job.job_id,
            transition_id=pending.transition_id,
            draft=changed,
            revision=revision,
        )
        now = self._services.whole_jobs.get(whole.job.job_id)
        transition = find(now, next(iter(accepted.transition_ids), pending.transition_id))
        place = f"{JOBS}/{now.job.job_id}/transitions/{transition.transition_id}"
        view = disclosed(transition_view(transition), call.actor)
        return json_response(view, ETag=etag(now.job.revision), Location=place)

    def remove(self, call: Call[NoQuery]) -> Response:
        """Take a pending transition off the list. Its row stays as Superseded."""
        whole = self._services.whole_jobs.get(job_id_of(call))
        revision = expected_revision(whole.job.revision, is_required=True)
        pending = _pending(whole, call.path["transitionId"])
        accepted = self._services.engine.ask(
            RemoveTransition,
            actor=call.actor.name,
            job_id=whole.job.job_id,
            transition_id=pending.transition_id,
            revision=revision,
        )
        return Response(status=204, headers={"ETag": etag(accepted.revision)})

    def _checked(self, whole: WholeJob, pending: TransitionRecord, patch: Json) -> Draft:
        """The changed transition as a draft; it must also leave those after it possible."""
        around = surroundings(self._services)
        document = patched(stored_document(pending), patch)
        listed = in_force(whole.transitions)
        place = [t.transition_id for t in listed].index(pending.transition_id)
        behind = [read(TransitionDocument, stored_document(t)) for t in listed[place + 1 :]]
        prior = prior_of(whole.job, listed[:place])
        faults = check_transitions([document, *behind], prior, around, "")
        if faults:
            raise DocumentError(placed([_unlisted(fault, alone=not behind) for fault in faults], patch))
        return draft(document, around)

    def _created(
        self, job_id: str, transition_ids: tuple[str, ...], actor: Actor, is_repeat: bool
    ) -> Response:
        whole = self._services.whole_jobs.some(job_id, transition_ids)
        views = [transition_view(transition) for transition in whole.transitions]
        response = json_response(disclosed(views, actor), 201, ETag=etag(whole.job.revision))
        if len(transition_ids) == 1:
            response.headers["Location"] = f"{JOBS}/{job_id}/transitions/{transition_ids[0]}"
        if is_repeat:
            response.headers[REPLAYED] = "true"
        return response


def find(whole: WholeJob, transition_id: str) -> TransitionRecord:
    """A transition of a job. Raises NotFoundError."""
    for transition in whole.transitions:
        if transition.transition_id == transition_id:
            return transition
    raise NotFoundError(f"job {whole.job.job_id} has no transition {transition_id}")


def _pending(whole: WholeJob, transition_id: str) -> TransitionRecord:
    transition = find(whole, transition_id)
    if transition.status is not TransitionStatus.PENDING:
        raise ConflictError(f"the transition is {transition.status}; only pending ones can be changed")
    return transition


def _prefix(value: Json) -> str:
    """The pointer of the list in what was posted."""
    if isinstance(value, dict) and len(value) == 1:
        return "/" + next(iter(value)) if str(next(iter(value))).lower() == "transitions" else ""
    return ""


def _in_list_of_one(error: DocumentError) -> DocumentError:
    return DocumentError([Fault(f"/0{fault.pointer}", fault.detail) for fault in error.faults])


def _unlisted(fault: Fault, alone: bool) -> Fault:
    """A fault of the changed list as one of the changed transition: what comes after it is told in words."""
    if alone:
        return fault
    _, index, *rest = fault.pointer.split("/")
    if index == "0":
        return Fault("".join(f"/{part}" for part in rest), fault.detail)
    return Fault("", f"would break the later transition {index}, at /{'/'.join(rest)}: {fault.detail}")


def install(api: Api, services: HttpServices) -> None:
    """Add the routes."""
    r = TransitionRoutes(services)
    tag, writing, patching = "transitions", Role.OPERATOR, (409, 412, 428)
    listed = Answer("Transitions in order", TransitionList, headers=("ETag",))
    one = {200: Answer("The transition", TransitionShape, headers=("ETag",))}
    same = Answer("Not changed", media_type="")
    sent = Answer("Sent to the worker, not stored", Object)
    gone = {204: Answer("Removed", media_type="", headers=("ETag",))}
    appended, body = {201: listed, 202: sent}, TransitionsBody
    api.add(
        Route("POST", LIST, r.append, "appendTransitions", tag, appended, NoQuery, body, writing, (409, 412)),
        Route("GET", LIST, r.list_transitions, "listTransitions", tag, {200: listed, 304: same}),
        Route("GET", ONE, r.get, "getTransition", tag, one),
        Route(
            "PATCH", ONE, r.change, "changeTransition", tag, one, NoQuery, TransitionPatch, writing, patching
        ),
        Route("DELETE", ONE, r.remove, "removeTransition", tag, gone, NoQuery, None, writing, patching),
    )
