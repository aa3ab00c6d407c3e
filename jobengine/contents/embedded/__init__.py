"""A contents store in files of one folder: a log of records that is the truth, and an index of it."""

from jobengine.contents.embedded.options import EmbeddedOptions
from jobengine.contents.embedded.store import EmbeddedContents

__all__ = ["EmbeddedContents", "EmbeddedOptions"]
