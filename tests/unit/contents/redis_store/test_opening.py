"""URLs of stores in Redis."""

from __future__ import annotations

import pytest

from jobengine.contents.redis_store.opening import split_prefix
from jobengine.errors import SettingsError


@pytest.mark.parametrize(
    ("url", "address", "prefix"),
    [
        ("redis://host:6379/2", "redis://host:6379/2", "jobengine"),
        ("rediss://:secret@host/0?prefix=a:b", "rediss://:secret@host/0", "a:b"),
        ("unix:///run/redis.sock?db=3&prefix=a", "unix:///run/redis.sock?db=3", "a"),
    ],
)
def test_the_prefix_is_taken_out_of_the_url(url: str, address: str, prefix: str) -> None:
    assert split_prefix(url) == (address, prefix)


@pytest.mark.parametrize(
    "url", ["http://host", "file:///x", "redis://host?prefix=", "redis://host?prefix=a{b"]
)
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        split_prefix(url)
