"""The errors page, from the one error tree."""

from __future__ import annotations

from collections.abc import Iterator

from jobengine.errors import JobEngineError
from rst import heading, literal, table


def tree(error: type[JobEngineError] = JobEngineError) -> Iterator[type[JobEngineError]]:
    """``error`` and everything below it, depth first."""
    yield error
    for child in error.__subclasses__():
        if child.__module__ == JobEngineError.__module__:
            yield from tree(child)


def render() -> str:
    """One row for each error."""
    rows = [
        (literal(error.code), error.title, str(error.status), str(error.exit_code), literal(error.__name__))
        for error in tree()
    ]
    return (
        heading("Errors")
        + "Every error of the HTTP API is a problem document (:rfc:`9457`); ``code`` is also the\n"
        "last part of its ``type``. The command line ends with the exit code, and the Python client\n"
        "raises the class. Besides, ``method-not-allowed`` (405), ``unsupported-media-type`` (415) and\n"
        "``not-implemented`` (501) mean what their status means.\n\n"
        + table(("Code", "Meaning", "HTTP status", "Exit code", "Python"), rows)
    )
