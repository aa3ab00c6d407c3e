"""What went wrong with media, as a sentence for people. FFmpeg's and the system's errors end here."""

from __future__ import annotations

import errno

from av.error import (
    ArgumentError,
    DecoderNotFoundError,
    EOFError,
    ExitError,
    FFmpegError,
    HTTPError,
    InvalidDataError,
    ProtocolNotFoundError,
)

from jobengine.errors import DiskFull, MediaError

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_REASONS: tuple[tuple[type[BaseException], str], ...] = (
    (FileNotFoundError, "does not exist"),
    (PermissionError, "may not be read by this service"),
    (IsADirectoryError, "is a folder"),
    (DecoderNotFoundError, "is in a format that can't be decoded here"),
    (ProtocolNotFoundError, "needs a protocol that is not allowed here"),
    (EOFError, "is empty or ends before any sound"),
    (InvalidDataError, "is damaged or not a media file"),
    (ArgumentError, "is not in a form that may be read here"),
    (HTTPError, "is refused by its web server"),
    (ExitError, "did not answer in time"),
    (TimeoutError, "did not answer in time"),
    (ConnectionRefusedError, "can't be reached: nobody listens there"),
)


def source_failure(name: str, error: BaseException, when: str = "") -> MediaError:
    """The error of a source that can't be opened or read; ``when`` says how far it came."""
    known = (text for kind, text in _REASONS if isinstance(error, kind))
    reason = next(known, f"can't be read ({_said(error)})")
    return MediaError(f"{name} {reason}{when}", source=name, cause=_said(error))


def sink_failure(path: str, error: OSError, samples: int) -> MediaError:
    """The error of an output file; ``samples`` is what it holds and keeps."""
    if error.errno in _NO_SPACE:
        detail = f"no space is left for {path}; the {samples} samples written so far are kept"
        return DiskFull(detail, path=path, samples=samples)
    return MediaError(f"{path} can't be written ({_said(error)})", path=path, samples=samples)


def _said(error: BaseException) -> str:
    text = error.strerror if isinstance(error, FFmpegError | OSError) else str(error)
    return text or type(error).__name__
