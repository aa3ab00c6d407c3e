"""Which paths and URLs media may have."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobengine.model.roots import MediaRoots, PathRefused

ROOTS = MediaRoots(PurePosixPath("/data/media"), (PurePosixPath("/srv/audio"),))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a.wav", "/data/media/a.wav"),
        ("news/2026-12-01T11:00.wav", "/data/media/news/2026-12-01T11:00.wav"),
        ("./a.wav", "/data/media/a.wav"),
        ("take 1: intro.wav", "/data/media/take 1: intro.wav"),
        ("/srv/audio/x/a.wav", "/srv/audio/x/a.wav"),
        ("/data/media/a..b.wav", "/data/media/a..b.wav"),
        ("${StartTime|HH:mm}.wav", "/data/media/${StartTime|HH:mm}.wav"),
    ],
)
def test_paths_under_the_roots_are_allowed(text: str, place: str) -> None:
    assert ROOTS.resolve_target(text) == PurePosixPath(place)
    assert ROOTS.resolve_source(text) == PurePosixPath(place)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "/", "a/", ".", "..", "../a", "a/../b", "/srv/audio/../x", "/srv/audio2/x", "/srv/audio"),
        *(
            "/etc/passwd",
            "a\0b",
            "a\nb",
            "file:a",
            "file:///etc/passwd",
            "concat:a|b",
            "subfile:,start,0:/etc/x",
        ),
        *("data:audio/wav;base64,x", "rtp://1.2.3.4", "ftp://h/x", "HTTPX://h/x", "crypto:file:/x"),
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(PathRefused):
        ROOTS.resolve_source(text)
    with pytest.raises(PathRefused):
        ROOTS.resolve_target(text)


def test_urls_are_sources_only() -> None:
    assert ROOTS.resolve_source("HTTPS://host/a.mp3?x=..") == "HTTPS://host/a.mp3?x=.."
    with pytest.raises(PathRefused, match="is a URL"):
        ROOTS.resolve_target("https://host/a.mp3")


def test_operator_may_forbid_all_urls() -> None:
    with pytest.raises(PathRefused, match="allowed are none"):
        MediaRoots(PurePosixPath("/m"), url_schemes=()).resolve_source("http://host/a")


@given(st.text(st.sampled_from("./ab:\\~$%\0é"), max_size=12))
def test_whatever_is_allowed_lies_under_a_root(text: str) -> None:
    try:
        place = ROOTS.resolve_target(text)
    except PathRefused:
        return
    assert ".." not in place.parts
    assert any(place.is_relative_to(root) and place != root for root in ROOTS.allowed)
