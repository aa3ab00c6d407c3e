"""Elements of sources as the media layer takes them, in the order in which decoders want them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from jobengine.errors import NotFoundError
from jobengine.media.media_element import MediaElement
from jobengine.media.ordering import in_decode_order
from jobengine.model.element import ElementKind
from jobengine.model.recipe import Loaded, Source, Task


def media_elements(source: Source, loaded: Iterable[Loaded], kind: ElementKind) -> Iterator[MediaElement]:
    """Those of one kind, in order of decoding. Raises NotFoundError at the first whose payload is missing."""
    return in_decode_order(media_element(source, item) for item in loaded if item.stored.element.kind is kind)


def media_element(source: Source, item: Loaded) -> MediaElement:
    """One element. Raises NotFoundError if its payload is missing."""
    element = item.stored.element
    if item.planes is None:
        name = f"{element.kind.name.lower()}_{element.pts}"
        raise NotFoundError(
            f"the payload of {name} of {source.content!r}, stream {source.index}, is not there"
        )
    return MediaElement(source.index, element, item.planes)


def counted(task: Task, loaded: Iterable[Loaded]) -> Iterator[Loaded]:
    """The same, each told to the task as it goes by."""
    for item in loaded:
        task.passed()
        yield item
