"""Stores by their URL."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from jobengine.contents.embedded import EmbeddedContents
from jobengine.contents.opening import open_store
from jobengine.errors import SettingsError
from jobengine.settings import load


def test_a_folder_is_an_embedded_store(tmp_path: Path) -> None:
    with closing(open_store((tmp_path / "with a blank").as_uri() + "?commit_interval_ms=2.5")) as store:
        assert isinstance(store, EmbeddedContents)

    assert (tmp_path / "with a blank").is_dir()


def test_the_settings_name_a_folder_of_the_data(tmp_path: Path) -> None:
    settings = load(flags={"data": str(tmp_path), "contents": {"commit_interval_ms": 3}})

    assert settings.contents_url == f"file://{tmp_path}/contents?commit_interval_ms=3"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "wibble",
        "http://host/",
        "file://host/folder",
        "file:",
        "file:///x?wibble=1",
        "file:///x?commit_interval_ms=soon",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"contents\.url"):
        open_store(url)
