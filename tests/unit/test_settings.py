"""Settings: precedence, defaults, and errors that name what is wrong."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from jobengine import settings
from jobengine.errors import SettingsError


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("JOBENGINE_DATA", "JOBENGINE_HTTP__PORT", "JOBENGINE_URL"):
        monkeypatch.delenv(name, raising=False)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "jobengine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_defaults_serve_one_machine_on_loopback() -> None:
    found = settings.load()
    assert found.http.url == "http://127.0.0.1:8484"
    assert found.http.is_loopback
    assert found.database == f"sqlite:///{found.data}/jobengine.sqlite3"
    assert found.media_roots == ()


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _file(tmp_path, 'data = "/tmp/je"\n[http]\nport = 1001\nthreads = 101\nhost = "::1"\n')
    monkeypatch.setenv("JOBENGINE_HTTP__PORT", "1002")
    monkeypatch.setenv("JOBENGINE_HTTP__THREADS", "102")
    found = settings.load(config, {"http": {"port": 1003, "host": None}})
    assert (found.http.port, found.http.threads, found.http.host) == (1003, 102, "::1")
    assert found.data == Path("/tmp/je")
    assert settings.origins(config, {"http": {"port": 1003}}) == {
        "data": "file",
        "http.port": "flag",
        "http.threads": "environment",
        "http.host": "file",
    }


def test_an_unknown_key_in_the_file_is_named_with_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"http\.prot is not a known key; did you mean http\.port\?"):
        settings.load(_file(tmp_path, "[http]\nprot = 1\n"))


def test_an_unknown_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBENGINE_HTTP__PROT", "1")
    with pytest.raises(SettingsError, match="JOBENGINE_HTTP__PROT is not a known variable"):
        settings.load()


def test_variables_of_the_client_are_not_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    before = settings.load()
    monkeypatch.setenv("JOBENGINE_URL", "http://elsewhere:1")
    assert settings.load() == before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[http]\nport = 70000\n", r"http\.port: "),
        ("[http]\nthreads = 10\n", "max_sse_clients must leave"),
        ("[http\n", "is not TOML"),
        ('[log]\nlevel = "loud"\n', r"log\.level: "),
    ],
)
def test_a_wrong_value_is_named(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        settings.load(_file(tmp_path, text))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="can't be read"):
        settings.load(tmp_path / "none.toml")


def test_paths_become_absolute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOBENGINE_DATA", "~/je")
    assert settings.load().data == Path.home() / "je"


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("je", False),
    ],
)
def test_loopback_is_known_by_the_address(host: str, is_loopback: bool) -> None:
    assert settings.HttpSettings(host=host).is_loopback is is_loopback


def test_settings_go_to_other_processes() -> None:
    found = settings.load(flags={"http": {"port": 5}})
    assert pickle.loads(pickle.dumps(found)).http.port == 5
