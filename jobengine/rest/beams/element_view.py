"""A stored element as clients see it: its document and its address."""

from __future__ import annotations

from typing import Any

from jobengine.contents.catalogue import Content
from jobengine.contents.look_up import pts_of
from jobengine.model.beam.elements import to_document
from jobengine.model.element import ElementKind, StoredElement
from jobengine.model.media_reference import Direct
from jobengine.rest.beams.address import join

Json = Any


def index_of(content: Content, stored: StoredElement) -> int:
    """The index of its stream in the content."""
    return stored.stream - content.stream_number(0)


def element_document(content: Content, stored: StoredElement, with_id: bool) -> dict[str, Json]:
    """Its Packet or Frame document."""
    return to_document(stored.element, index_of(content, stored), with_id)


def element_address(content: Content, stored: StoredElement) -> str:
    """The path that names it by kind and pts."""
    direct = Direct(ElementKind(stored.element.kind), pts_of(stored))
    return join(content.name, f"stream_{index_of(content, stored)}", str(direct))
