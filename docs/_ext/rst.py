"""Small pieces of reStructuredText, for pages that are generated."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def heading(text: str, mark: str = "=") -> str:
    """A heading underlined with ``mark``."""
    return f"{text}\n{mark * len(text)}\n\n"


def literal(text: object) -> str:
    """``text`` as inline code; nothing for an empty text."""
    return f"``{text}``" if str(text) else ""


def prose(text: str) -> str:
    """Text of a docstring: code in backquotes is kept, other signs of mark-up stand for themselves."""
    parts = re.split(r"(``[^`]*``|`[^`]*`)", text)
    return "".join(
        part if number % 2 else re.sub(r"([*|\\]|_\b)", r"\\\1", part) for number, part in enumerate(parts)
    )


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A list-table; cells are reStructuredText and may have several lines."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [titles, *rows]:
        for number, cell in enumerate(row):
            lead = "   * - " if number == 0 else "     - "
            lines.append((lead + cell.strip().replace("\n", "\n" + " " * 7)).rstrip())
    return "\n".join(lines) + "\n\n"


def code(text: str, language: str) -> str:
    """A block of code."""
    body = "\n".join(f"   {line}" if line else "" for line in text.rstrip().splitlines())
    return f".. code-block:: {language}\n\n{body}\n\n"
