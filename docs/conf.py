"""How Sphinx builds the documentation: ``make docs``."""

from __future__ import annotations

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "jobengine"
author = "the jobengine maintainers"
copyright = author
version = release = installed_version("jobengine")
extensions = ["reference", "lifecycle_picture"]
exclude_patterns = ["_build", "_ext"]
html_theme = "furo"
html_title = f"jobengine {release}"
highlight_language = "text"
nitpicky = True
# The default role is code, as in the docstrings, so generated pages read them as they are.
default_role = "code"
