"""Commands that work on a data folder need no service."""

from __future__ import annotations

import fcntl
import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Run


def data(folder: Path) -> tuple[str, str]:
    return "--data", str(folder)


def test_a_database_is_made_checked_backed_up_and_restored(run: Run, tmp_path: Path) -> None:
    folder, copy = tmp_path / "data", tmp_path / "copy.sqlite3"
    assert run("db", "upgrade", *data(folder)).exit_code == 0
    checked = run("db", "check", "-o", "json", *data(folder))
    assert json.loads(checked.stdout)["revision"]
    assert run("db", "backup", str(copy), *data(folder)).exit_code == 0
    assert run("key", "create", "late", "--role", "viewer", *data(folder)).exit_code == 0
    assert run("db", "restore", str(copy), "--yes", *data(folder)).exit_code == 0
    assert run("key", "list", "-o", "json", *data(folder)).stdout == "[]\n"


def test_a_check_names_a_guard_that_is_gone(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade", *data(tmp_path))
    with closing(sqlite3.connect(tmp_path / "jobengine.sqlite3")) as connection:
        connection.execute("DROP TRIGGER transitions_settled_no_delete")
    for command in (("db", "check"), ("audit", "verify")):
        result = run(*command, *data(tmp_path))
        assert result.exit_code == 1
        assert "transitions_settled_no_delete" in result.stderr


def test_a_backup_overwrites_nothing(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade", *data(tmp_path))
    target = tmp_path / "there"
    target.write_text("mine")
    assert run("db", "backup", str(target), *data(tmp_path)).exit_code == 5
    assert target.read_text() == "mine"


def test_restoring_asks_for_yes_where_nobody_can_be_asked(run: Run, tmp_path: Path) -> None:
    result = run("db", "restore", "x", *data(tmp_path))
    assert result.exit_code == 2
    assert "--yes" in result.stderr


def test_restoring_below_a_running_service_is_refused(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade", *data(tmp_path))
    run("db", "backup", str(tmp_path / "copy"), *data(tmp_path))
    with (tmp_path / "service.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = run("db", "restore", str(tmp_path / "copy"), "--yes", *data(tmp_path))
    assert result.exit_code == 5
    assert "stop it first" in result.stderr


@pytest.mark.parametrize("line", [("db", "check"), ("audit", "verify"), ("key", "list")], ids=" ".join)
def test_no_database_is_3_and_none_is_made(run: Run, tmp_path: Path, line: tuple[str, ...]) -> None:
    result = run(*line, *data(tmp_path))
    assert result.exit_code == 3
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_shown_once_and_stored_as_its_hash(run: Run, tmp_path: Path) -> None:
    made = run("key", "create", "desk", "--role", "operator", "--days", "2", *data(tmp_path))
    token = made.stdout.strip()
    _, key_id, secret = token.split("_", 2)
    (listed,) = json.loads(run("key", "list", "-o", "json", *data(tmp_path)).stdout)
    assert (listed["keyId"], listed["name"], listed["role"]) == (key_id, "desk", "operator")
    assert listed["expiresTime"] > listed["createdTime"]
    assert secret not in json.dumps(listed)
    with closing(sqlite3.connect(tmp_path / "jobengine.sqlite3")) as connection:
        (stored,) = connection.execute("SELECT secret_hash FROM api_keys").fetchone()
    assert stored == hashlib.sha256(secret.encode()).hexdigest()


@pytest.mark.parametrize("name", ["", " ", "engine", "Local", "contents", "a\nb", "\x1b[2J", "a" * 201])
def test_no_key_is_named_like_another_actor_or_unreadably(run: Run, tmp_path: Path, name: str) -> None:
    assert run("key", "create", name, "--role", "operator", *data(tmp_path)).exit_code == 2
    assert not (tmp_path / "jobengine.sqlite3").exists()


@pytest.mark.parametrize("days", ["0", "-1", "1e9"])
def test_a_key_lives_as_long_as_can_be_said(run: Run, tmp_path: Path, days: str) -> None:
    result = run("key", "create", "desk", "--role", "viewer", "--days", days, *data(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")


def test_two_living_keys_have_two_names(run: Run, tmp_path: Path) -> None:
    create = ("key", "create", "desk", "--role", "viewer", "-o", "json", *data(tmp_path))
    first = json.loads(run(*create).stdout)
    assert run(*create).exit_code == 5
    run("key", "revoke", first["keyId"], *data(tmp_path))
    assert run(*create).exit_code == 0


def test_a_revoked_key_says_so_and_an_unknown_one_is_3(run: Run, tmp_path: Path) -> None:
    made = json.loads(run("key", "create", "a", "--role", "admin", "-o", "json", *data(tmp_path)).stdout)
    assert run("key", "revoke", made["keyId"], *data(tmp_path)).exit_code == 0
    assert json.loads(run("key", "list", "-o", "json", *data(tmp_path)).stdout)[0]["revokedTime"]
    assert run("key", "revoke", "nobody", *data(tmp_path)).exit_code == 3


def test_an_empty_history_is_intact(run: Run, tmp_path: Path) -> None:
    run("db", "upgrade", *data(tmp_path))
    result = run("audit", "verify", "-o", "json", *data(tmp_path))
    assert result.exit_code == 0
    expected = {"intact": True, "jobs": 0, "rows": 0, "missingGuards": [], "findings": []}
    assert json.loads(result.stdout) == expected
    assert run("audit", "verify", "nobody", *data(tmp_path)).exit_code == 3
    assert run("audit", "export", "nobody", *data(tmp_path)).exit_code == 3


def test_settings_are_shown_with_their_origin(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "jobengine.toml"
    file.write_text("[http]\nport = 9000\n")
    env = {"JOBENGINE_LOG__LEVEL": "debug"}
    shown = run("config", "show", "--origin", "--config", str(file), "-o", "json", *data(tmp_path), env=env)
    found = {row["key"]: (row["value"], row["origin"]) for row in json.loads(shown.stdout)}
    assert found["http.port"] == (9000, "file")
    assert found["log.level"] == ("debug", "environment")
    assert found["data"] == (str(tmp_path), "flag")
    assert found["http.host"] == ("127.0.0.1", "default")


def test_settings_hide_passwords(run: Run) -> None:
    env = {"JOBENGINE_DATABASE_URL": "postgresql://me:hidden@host/x"}
    assert "hidden" not in run("config", "show", env=env).stdout


def test_unknown_settings_are_2_and_named_with_the_nearest(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "jobengine.toml"
    file.write_text("[http]\nprot = 9000\n")
    result = run("config", "check", "--config", str(file))
    assert result.exit_code == 2
    assert "http.prot" in result.stderr
    assert "http.port" in result.stderr


def test_schemas_are_printed_without_a_service(run: Run) -> None:
    names = run("schema").stdout.split()
    assert "job" in names
    assert all(json.loads(run("schema", name).stdout)["$schema"] for name in names)
    assert run("schema", "jbo").exit_code == 3
