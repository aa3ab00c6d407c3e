"""What a service refuses: a second one beside it, strangers beyond loopback, callers without the role."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from jobengine.client import Client
from jobengine.errors import AuthenticationError, ForbiddenError
from tests.acceptance.documents import at_once, timeline
from tests.acceptance.observing import history_of, reach
from tests.services import NewService, Service, running_service
from tests.waiting import PATIENCE_S, wait_until


def ended(service: Service, *options: str) -> tuple[int, str]:
    """The exit code of a service that does not start, and what it says."""
    code = service.launch(*options).wait(PATIENCE_S)
    return code, service.log.read_text()


def test_a_second_service_on_the_same_folder_refuses(
    service: Service, new_service: NewService, tmp_path: Path
) -> None:
    other_name = tmp_path / "other-name"
    other_name.symlink_to(service.data)
    second = new_service(data=other_name)
    second.log = tmp_path / "second.log"
    code, said = ended(second)
    assert code == 2
    assert f"{other_name} is in use" in said
    assert service.process is not None
    assert str(service.process.pid) in said
    assert "Traceback" not in said
    wait_until(service.is_ready, "the first is ready as before")


def test_a_second_service_on_the_same_sqlite_file_refuses(service: Service, new_service: NewService) -> None:
    second = new_service(f"sqlite:///{service.data / 'jobengine.sqlite3'}")
    code, said = ended(second)
    assert code == 2
    assert "in use" in said
    assert "Traceback" not in said
    job = service.client.jobs.submit(timeline("undisturbed", at_once("Start")))
    reach(job, "Running")


def test_beyond_loopback_without_a_key_refuses(new_service: NewService) -> None:
    code, said = ended(new_service(), "--host", "0.0.0.0")
    assert code == 2
    assert "API key" in said
    assert "Traceback" not in said


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, dict[str, str]]]:
    """A service and a key of each role."""
    with running_service(tmp_path_factory.mktemp("guarded") / "data") as service:
        roles = ("viewer", "operator", "admin")
        made = [service.cli("key", "create", role, "--role", role) for role in roles]
        assert [done.returncode for done in made] == [0, 0, 0]
        wait_until(lambda: _asks_for_key(service), "the service asks for a key")
        yield service, {role: done.stdout.strip() for role, done in zip(roles, made, strict=True)}


def stored_jobs(service: Service) -> int:
    """How many jobs there are, read past the service."""
    ((count,),) = service.sql("SELECT count(*) FROM jobs")
    return int(count)


def _asks_for_key(service: Service) -> bool:
    with service.http() as http:
        return http.get("/api/jobs").status_code == 401


def test_each_role_may_do_its_part_and_no_more(
    guarded: tuple[Service, dict[str, str]], tmp_path: Path
) -> None:
    service, keys = guarded
    document = timeline("guarded", at_once("Start"))
    with pytest.raises(AuthenticationError):
        service.client.jobs.submit(document)
    with Client(service.client.url, keys["viewer"]) as viewer:
        assert viewer.jobs.count() == stored_jobs(service)
        with pytest.raises(ForbiddenError):
            viewer.jobs.submit(document)
    with Client(service.client.url, keys["operator"]) as operator:
        job = reach(operator.jobs.submit(document), "Running")
        assert [t["actor"] for t in job.transitions()] == ["operator"]
        job.cancel()
        reach(job, "Cancelled")
    assert len(history_of(service, job)) == 2
    with service.http() as http:
        assert http.get("/healthz").status_code == 200
    token = tmp_path / "key"
    token.write_text(keys["viewer"])
    url = ("--url", service.client.url)
    assert service.cli("job", "list", *url).returncode == 4
    assert service.cli("job", "list", *url, "--token-file", str(token)).returncode == 0
    assert service.cli("job", "cancel", job.id, *url, "--token-file", str(token)).returncode == 4


def test_a_revoked_key_opens_nothing(guarded: tuple[Service, dict[str, str]]) -> None:
    service, keys = guarded
    with Client(service.client.url, keys["admin"]) as admin:
        assert admin.jobs.count() == stored_jobs(service)
        assert service.cli("key", "revoke", keys["admin"].split("_")[1]).returncode == 0
        wait_until(lambda: _is_shut_out(admin), "the key opens nothing any more")


def _is_shut_out(client: Client) -> bool:
    try:
        client.jobs.count()
    except AuthenticationError:
        return True
    return False
