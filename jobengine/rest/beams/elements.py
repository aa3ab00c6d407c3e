"""``/beams/{content}/{stream}/{reference}``: elements by any media reference; put, append and remove them."""

from __future__ import annotations

from jobengine.rest.api import Answer, Api, Route
from jobengine.rest.auth import Role
from jobengine.rest.beams.element_reading import CLOSED, ElementReading
from jobengine.rest.beams.element_removal import ElementRemoval
from jobengine.rest.beams.element_writing import ElementWriting
from jobengine.rest.beams.parameters import BeamQuery, ElementQuery, ElementRemovalQuery, PayloadQuery
from jobengine.rest.beams.payloads import PayloadRoutes
from jobengine.rest.beams.services import BeamServices
from jobengine.rest.beams.shapes import ElementBody, ElementShape, ElementsShape, RemovedShape
from jobengine.rest.beams.streams import STREAM

ELEMENT = f"{STREAM}/<reference>"


def install(api: Api, services: BeamServices, payloads: PayloadRoutes) -> None:
    """Add the routes."""
    reading, writes = ElementReading(services, payloads), ElementWriting(services, payloads)
    delete = ElementRemoval(services, payloads).delete
    tag, writing, body = "beams", Role.OPERATOR, ElementBody
    found = Answer("An element, or a list", ElementsShape, headers=("Link",))
    redirected = Answer("Where the element is", media_type="", headers=("Location", CLOSED))
    stored = {
        200: Answer("The element, whose description was replaced", ElementShape, headers=("Location",)),
        201: Answer("The stored element", ElementShape, headers=("Location",)),
    }
    removed = {200: Answer("How many went, or would", RemovedShape)}
    got = {200: found, 302: redirected}
    api.add(
        Route("GET", ELEMENT, reading.get, "getElements", tag, got, ElementQuery),
        Route("PUT", ELEMENT, writes.put, "putElement", tag, stored, PayloadQuery, body, writing, (409, 412)),
        Route("POST", STREAM, writes.append, "appendElement", tag, stored, BeamQuery, body, writing, (409,)),
        Route("DELETE", ELEMENT, delete, "deleteElements", tag, removed, ElementRemovalQuery, None, writing),
    )
