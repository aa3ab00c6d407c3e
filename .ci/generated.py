"""Write the files that are made from the models and committed; with ``--check`` only say whether they differ.

These are ``schemas/*.json`` and ``docs/explanation/lifecycle.mmd``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jobengine.model.lifecycle import mermaid
from jobengine.model.schemas import generate

ROOT = Path(__file__).parent.parent


def wanted() -> dict[Path, str]:
    """The text of each file as it must be."""
    files = {
        ROOT / "schemas" / name: json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, schema in generate().items()
    }
    return {**files, ROOT / "docs" / "explanation" / "lifecycle.mmd": mermaid()}


def present() -> dict[Path, str]:
    """The files as they are."""
    paths = [*(ROOT / "schemas").glob("*.json"), *(ROOT / "docs" / "explanation").glob("*.mmd")]
    return {path: path.read_text(encoding="utf-8") for path in paths}


def main() -> int:
    """Exit code 1 if ``--check`` finds a difference."""
    texts, found = wanted(), present()
    stale = sorted(path for path in texts | found if texts.get(path) != found.get(path))
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is not what the models say; run: make schemas", file=sys.stderr)
        return 1 if stale else 0
    for path in stale:
        if path in texts:
            path.write_text(texts[path], encoding="utf-8")
        else:
            path.unlink()
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
