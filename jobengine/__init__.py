"""A durable state-machine job engine for media streams.

``Client`` talks to a running service; ``Recipe`` is the base of what convert jobs make, ``Result`` what they
return.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobengine.client import Client
    from jobengine.model.recipe import Recipe, Result

    __version__: str

__all__ = ["Client", "Recipe", "Result", "__version__"]


def __getattr__(name: str) -> Any:
    """Loads what is asked for when it is asked for: the service's processes do without an HTTP client."""
    if name == "Client":
        from jobengine.client import Client

        return Client
    if name in ("Recipe", "Result"):
        from jobengine.model import recipe

        return getattr(recipe, name)
    if name == "__version__":
        from importlib.metadata import version

        return version("jobengine")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
