from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.client.scripted_service import ScriptedService, scripted_service


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with scripted_service() as service:
        yield service
