"""Which recipes there are: classes offered by entry points of the group ``jobengine.recipes``.

What stands in an entry point was installed by the operator; a client only names it.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from jobengine.errors import NotFoundError, SettingsError
from jobengine.model.recipe import Recipe

GROUP = "jobengine.recipes"


@cache
def _offered() -> dict[str, EntryPoint]:
    """By name; found once, since packages are not installed into a running service."""
    return {point.name: point for point in entry_points(group=GROUP)}


def recipe_names() -> list[str]:
    """The names of all recipes, in alphabetical order."""
    return sorted(_offered())


@cache
def find_recipe(name: str) -> type[Recipe]:
    """The class of a recipe.

    Raises NotFoundError naming those there are, or SettingsError if what the package offers can't be
    loaded or is no recipe.
    """
    point = _offered().get(name)
    if point is None:
        raise NotFoundError(f"there is no recipe {name!r}; there are {', '.join(recipe_names()) or 'none'}")
    try:
        found = point.load()
    except Exception as error:
        text = f"the recipe {name!r} ({point.value}) can't be loaded: {type(error).__name__}: {error}"
        raise SettingsError(text) from error
    if not (isinstance(found, type) and issubclass(found, Recipe)):
        raise SettingsError(f"the recipe {name!r} ({point.value}) is not a subclass of jobengine.Recipe")
    return found
