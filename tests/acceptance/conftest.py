"""One service for the stories of a module that leave it as it was."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.services import Service, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The module's service, with short times where stories wait for them."""
    folder = tmp_path_factory.mktemp("service")
    with running_service(folder / "data", engine__lead_ms=5000) as service:
        yield service


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    """A client of the module's service."""
    with service.http() as http:
        yield http
