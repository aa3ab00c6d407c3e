"""Write `jobengine.model.schemas.generate` to ``schemas/``; with ``--check`` only say whether they differ."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from jobengine.model.schemas import generate

FOLDER = Path(__file__).parent.parent / "schemas"


def rendered() -> dict[str, str]:
    """The text of each schema file as it must be."""
    return {
        name: json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, schema in generate().items()
    }


def stale(wanted: dict[str, str]) -> list[str]:
    """Names of files that are missing, differ or should not be there."""
    present = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    return sorted(name for name in wanted | present if wanted.get(name) != present.get(name))


def main() -> int:
    """Exit code 1 if ``--check`` finds a difference."""
    wanted = rendered()
    names = stale(wanted)
    if "--check" in sys.argv[1:]:
        for name in names:
            print(f"schemas/{name} is not what the models say; run: make schemas", file=sys.stderr)
        return 1 if names else 0
    for name in names:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
        print(f"schemas/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
