"""What the routes of ``/beams`` work with, made once per http process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobengine.clock import Clock
from jobengine.contents.catalogue import Catalogue, Content
from jobengine.contents.followers import Followers
from jobengine.contents.look_up import LookUp
from jobengine.contents.look_up_all import LookUpAll
from jobengine.contents.relations import Relations
from jobengine.contents.repeats import Repeats
from jobengine.contents.stream_names import ALL, named_index, stream_index
from jobengine.errors import NotFoundError
from jobengine.model.beam.streams import KINDS
from jobengine.ports.contents import ContentStore
from jobengine.rest.beams.address import Addresses
from jobengine.rest.beams.content_streams import refuse_closed, with_stream
from jobengine.rest.beams.payload_reading import PayloadReader
from jobengine.rest.event_feed import Seats
from jobengine.rest.services import HttpServices, Notices
from jobengine.settings import ContentsSettings

Json = Any


@dataclass(frozen=True, slots=True)
class BeamServices:
    """The store and what finds things in it. ``max_document_bytes`` bounds a JSON body."""

    settings: ContentsSettings
    max_document_bytes: int
    clock: Clock
    notices: Notices
    seats: Seats
    store: ContentStore
    catalogue: Catalogue
    relations: Relations
    repeats: Repeats
    addresses: Addresses
    look_up: LookUp
    look_up_all: LookUpAll
    payloads: PayloadReader
    followers: Followers

    def stream(self, name: str, stream: str) -> tuple[Content, int]:
        """A content and the index of one of its streams. Raises NotFoundError."""
        content = self.catalogue.get(name)
        return content, stream_index(content, stream)

    def stream_to_write(self, name: str, stream: str) -> tuple[Content, int]:
        """The same for elements that come. In a lax service a missing one is made.

        Raises NotFoundError, or ConflictError if the stream is closed.
        """
        try:
            content, index = self.stream(name, stream)
        except NotFoundError:
            if not self.settings.lax or stream.removesuffix(".json") in (ALL, "default"):
                raise
            return self._make(name, stream)
        refuse_closed(content, index)
        return content, index

    def _make(self, name: str, stream: str) -> tuple[Content, int]:
        content = self.catalogue.find(name)
        if content is None:
            self.addresses.check_new(name)
            content = self.catalogue.create(name, {"type": "format", "url": name}, [])
        index = named_index(stream)
        document: dict[str, Json] = {"type": "Stream"}
        if index is None:
            kind, index = stream.partition("_")[0], len(content.streams)
            document |= {"codecpar": {"codec_type": kind}} if kind in KINDS else {}
        changed = with_stream(content, index, {**document, "index": index})
        return self.catalogue.change(changed, content.revision), index


def beam_services(services: HttpServices, seats: Seats) -> BeamServices:
    """Everything over the store of ``services``."""
    store, clock = services.contents, services.clock
    catalogue = Catalogue(store, clock)
    return BeamServices(
        settings=services.settings.contents,
        max_document_bytes=services.settings.http.max_document_bytes,
        clock=clock,
        notices=services.notices,
        seats=seats,
        store=store,
        catalogue=catalogue,
        relations=Relations(store, catalogue),
        repeats=Repeats(store, clock),
        addresses=Addresses(catalogue),
        look_up=LookUp(store),
        look_up_all=LookUpAll(store),
        payloads=PayloadReader(store),
        followers=Followers(store),
    )
