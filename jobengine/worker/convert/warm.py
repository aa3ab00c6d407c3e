"""What recipes import while they run, imported once by the parent of all workers."""

from __future__ import annotations

from importlib import import_module

import structlog

from jobengine.errors import SettingsError
from jobengine.model.recipes import find_recipe, recipe_names

_MODULES = (
    "jobengine.media.mux",
    "jobengine.media.picture",
    "jobengine.worker.convert.payload_search",
)


def warm_recipes() -> None:
    """Import every recipe and our own heavy libraries. A recipe that can't be loaded is told in the log."""
    for module in _MODULES:
        import_module(module)
    for name in recipe_names():
        try:
            find_recipe(name)
        except SettingsError as error:
            structlog.get_logger("recipes").warning("recipe.not_loaded", recipe=name, detail=error.detail)
