"""What the rules that ship are asked about, and what they leave alone."""

from __future__ import annotations

import pytest

from jobengine.contents.shipped_rules import SHIPPED
from jobengine.model.rule import Asked, NamedRule


def groups(name: str, method: str, path: str, status: int, location: str | None = None) -> str | None:
    """What a rule that is switched on reads, as text; None if it does not fit."""
    rule = NamedRule(name, SHIPPED[name].model_copy(update={"enabled": True}))
    found = rule.fits(Asked(method, path, {}, {}, status, location))
    if found is None:
        return None
    return " ".join(found[name] for name in ("content", "stream", "reference") if name in found)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/beams/a/video/packet_42/data", "a video packet_42"),
        ("/beams/a/0/packet_-42.raw_0", "a 0 packet_-42"),
        ("/beams/a/0/frame_42/data_1", "a 0 frame_42"),
        ("/beams/a/0/packet_42", "a 0 packet_42"),
        ("/beams/a/0/packet_42.json", "a 0 packet_42"),
        ("/beams/a%2Fb/video/1.5s-1m30s", "a/b video 1.5s-1m30s"),
        ("/beams/a/video/00:00:01-00:00:02.5/", "a video 00:00:01-00:00:02.5"),
        ("/beams/a/video/-15-15", "a video -15-15"),
        # Followers ask again and again for what is not there yet; pictures and words have rules of their own.
        ("/beams/a/video/7200+1d", None),
        ("/beams/a/video/latest", None),
        ("/beams/a/video/1s.jpg", None),
        ("/beams/a/video", None),
        ("/beams/a", None),
    ],
)
def test_what_is_missing_is_looked_for_by_element_or_time(path: str, expected: str | None) -> None:
    assert groups("dataMissing", "GET", path, 404) == expected
    assert groups("dataMissing", "GET", path, 200) is None


@pytest.mark.parametrize(
    ("method", "path", "location", "expected"),
    [
        ("POST", "/beams", "/beams/a%20b", "a b"),
        ("PUT", "/beams/a", None, "a"),
        ("PATCH", "/beams/a/", None, "a"),
        ("PUT", "/beams/a.json", None, "a"),
        ("POST", "/beams", "/beams/a.json.json", "a.json"),
        ("POST", "/beams/a.json", "/beams/a.json/stream_2", "a.json"),
        ("POST", "/beams/a", "/beams/a/stream_2", "a"),
        ("PUT", "/beams/a/1", None, "a"),
        ("PUT", "/beams/a/0/packet_5", "/beams/a/stream_0/packet_5", None),
        ("POST", "/beams/a/equivalent/b", None, None),
        ("GET", "/beams/a", None, None),
    ],
)
def test_an_equivalent_follows_what_is_made_and_changed(
    method: str, path: str, location: str | None, expected: str | None
) -> None:
    assert groups("equivalents", method, path, 201, location) == expected


def test_batches_are_copied_by_their_stream() -> None:
    assert groups("fileStoreBatch", "PUT", "/beams/a/all/elements", 200) == "a all"
    assert groups("fileStoreBatch", "PUT", "/beams/a/0/packet_1/data", 200) is None
