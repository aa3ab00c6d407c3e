"""One picture out of a content: decoded from its key frame on, or taken from a raw frame, as JPEG or PNG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from av.codec.context import CodecContext
from av.error import FFmpegError

from jobengine.errors import MediaError
from jobengine.media.codec_setup import parameters_of
from jobengine.media.decoding import Decoding
from jobengine.media.media_element import MediaElement

Json = Any
MAX_SIDE_PIXELS = 16_384
MEDIA_TYPES: Mapping[str, str] = {"jpeg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True, slots=True)
class PictureForm:
    """What the picture shall be. ``width`` and ``height`` in pixels, one alone keeps the proportions, none
    keeps the size; ``quality`` 1 to 100 is for JPEG."""

    kind: Literal["jpeg", "png"] = "jpeg"
    width: int | None = None
    height: int | None = None
    quality: int = 85


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture. ``pts``: of the frame that it shows, in ticks of the stream."""

    data: bytes
    media_type: str
    width: int
    height: int
    pts: int | None


def picture_at(
    document: Mapping[str, Json], elements: Iterable[MediaElement], wanted_pts: int | None, form: PictureForm
) -> Picture:
    """The picture at ``wanted_pts``, else the last one before it; None: the first.

    ``elements`` of one stream of pictures, from the key frame at or before the wanted time on, in order of
    decoding (`in_decode_order`); no more of them are taken than needed. A raw frame stands for itself.
    Raises MediaError if nothing can be decoded or ``form`` is impossible.
    """
    _check(form)
    if parameters_of(document).get("codec_type") not in ("video", None):
        raise MediaError(f"stream {document.get('index', 0)} holds no pictures")
    return encode_picture(_find(document, iter(elements), wanted_pts), document, form)


def _find(document: Mapping[str, Json], elements: Iterable[MediaElement], wanted_pts: int | None) -> Any:
    decoding = Decoding(document)
    best: Any = None
    for item in elements:
        for frame in decoding.take(item):
            if best is None or wanted_pts is None or frame.pts is None or frame.pts <= wanted_pts:
                best = frame
            if wanted_pts is None or (frame.pts is not None and frame.pts >= wanted_pts):
                return best
    for frame in decoding.finish():
        if best is None or frame.pts is None or (wanted_pts is not None and frame.pts <= wanted_pts):
            best = frame
    if best is None:
        raise MediaError("there is no picture here that can be decoded")
    return best


def _check(form: PictureForm) -> None:
    for name, side in (("width", form.width), ("height", form.height)):
        if side is not None and not 1 <= side <= MAX_SIDE_PIXELS:
            raise MediaError(f"{name} {side} is out of range; 1 to {MAX_SIDE_PIXELS} pixels are possible")
    if not 1 <= form.quality <= 100:
        raise MediaError(f"quality {form.quality} is out of range; 1 to 100 are possible")


def encode_picture(frame: Any, document: Mapping[str, Json], form: PictureForm) -> Picture:
    """A decoded picture of the stream ``document``. Raises MediaError."""
    width, height = _size(frame, document, form)
    name, layout = ("mjpeg", "yuvj420p") if form.kind == "jpeg" else ("png", "rgb24")
    try:
        encoder: Any = CodecContext.create(name, "w")
        encoder.width, encoder.height, encoder.pix_fmt = width, height, layout
        encoder.time_base = Fraction(1, 25)
        if form.kind == "jpeg":
            scale = _jpeg_scale(form.quality)
            encoder.qmin = encoder.qmax = scale
            encoder.options = {"strict": "unofficial"}
        shown = frame.reformat(width, height, layout, dst_color_range=2 if form.kind == "jpeg" else None)
        shown.pts, shown.time_base = 0, Fraction(1, 25)
        data = b"".join(bytes(packet) for packet in [*encoder.encode(shown), *encoder.encode(None)])
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"the picture can't be written as {form.kind} ({error})") from error
    return Picture(data, MEDIA_TYPES[form.kind], width, height, frame.pts)


def _size(frame: Any, document: Mapping[str, Json], form: PictureForm) -> tuple[int, int]:
    """Square pixels, as they are to be seen."""
    aspect = Fraction(*(parameters_of(document).get("sample_aspect_ratio") or (1, 1)))
    full_width, full_height = max(round(frame.width * aspect), 1), frame.height
    if form.width and form.height:
        return form.width, form.height
    if form.width:
        return form.width, max(round(full_height * form.width / full_width), 1)
    if form.height:
        return max(round(full_width * form.height / full_height), 1), form.height
    return full_width, full_height


def _jpeg_scale(quality: int) -> int:
    """FFmpeg's scale: 31 is coarse, 2 is fine."""
    return 31 - round((quality - 1) * 29 / 99)
