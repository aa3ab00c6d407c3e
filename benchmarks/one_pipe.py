"""One pipe in a process of its own, from file to file.

python -m benchmarks.one_pipe '["/folder", {"inputGraph": …}]'
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import PurePosixPath

from jobengine.media.pipe import Pipe, PipeContext
from jobengine.model.pipe import PipeSpec
from jobengine.model.roots import MediaRoots


def main() -> None:
    """Prepare, start, run to the end, close."""
    folder, specification = json.loads(sys.argv[1])
    base = PurePosixPath(folder)
    roots = MediaRoots(base, (base,), ())
    pipe = Pipe.prepare(PipeSpec.model_validate(specification), PipeContext(roots=roots))
    pipe.start(datetime.now(UTC))
    while not pipe.at_end:
        pipe.advance(pipe.block_samples)
    pipe.close()


if __name__ == "__main__":
    main()
