"""Every module can be imported, and the public names are there."""

from __future__ import annotations

import importlib
import pkgutil
import signal
from pathlib import Path

import pytest

import jobengine

PUBLIC = ("Client", "Processor", "Recipe", "Result", "__version__", "worker")
ROOT = Path(__file__).parents[2]
# Running it is what it is for.
NOT_IMPORTED = ("jobengine.__main__",)


def modules() -> list[str]:
    """The dotted name of every module in the package's own folder."""
    found = pkgutil.walk_packages([str(ROOT / "jobengine")], "jobengine.")
    return sorted(module.name for module in found if module.name not in NOT_IMPORTED)


def _process() -> tuple[str, set[int]]:
    """Its name, and the signals that it blocks."""
    return Path("/proc/self/comm").read_text(), signal.pthread_sigmask(signal.SIG_BLOCK, ())


@pytest.mark.parametrize("name", modules())
def test_a_module_can_be_imported_and_leaves_the_process_as_it_was(name: str) -> None:
    before = _process()
    importlib.import_module(name)
    assert _process() == before


@pytest.mark.parametrize("name", jobengine.__all__)
def test_a_public_name_is_there(name: str) -> None:
    assert getattr(jobengine, name) is not None


def test_the_public_names_are_sorted_and_known() -> None:
    assert sorted(jobengine.__all__) == list(jobengine.__all__)
    assert set(jobengine.__all__) <= set(PUBLIC)


@pytest.mark.parametrize(
    "folder", sorted({path.parent for path in (ROOT / "jobengine").rglob("*.py")}), ids=str
)
def test_a_folder_is_a_package(folder: Path) -> None:
    assert (folder / "__init__.py").is_file()
