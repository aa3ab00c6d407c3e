"""Films and sounds made by FFmpeg's command line for tests, and what it says of any file."""

from __future__ import annotations

import subprocess
from pathlib import Path

PICTURES = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=4"]
SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000:duration=4"]
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "3", "-g", "25", "-pix_fmt", "yuv420p"]


def make(path: Path, *options: str) -> Path:
    """A file by ``ffmpeg`` with these options."""
    subprocess.run(["ffmpeg", "-v", "error", "-y", *options, str(path)], check=True)
    return path


def film(path: Path, *options: str) -> Path:
    """Four seconds of H.264 with B-frames, a key frame each second, and AAC."""
    return make(
        path, *PICTURES, *SOUND, *H264, "-x264-params", "bframes=3:b-adapt=0", "-c:a", "aac", *options
    )


def packets(path: Path) -> dict[int, list[tuple[str, str, str]]]:
    """By stream: dts, pts and the MD5 of every packet, as FFmpeg's command line reads them."""
    command = ["ffmpeg", "-v", "error", "-copyts", "-i", str(path), "-map", "0", "-c", "copy"]
    answer = subprocess.run(
        [*command, "-f", "framehash", "-hash", "md5", "-"], check=True, capture_output=True, text=True
    )
    found: dict[int, list[tuple[str, str, str]]] = {}
    for line in answer.stdout.splitlines():
        if not line.startswith("#"):
            stream, dts, pts, _, _, digest, *_ = (part.strip() for part in line.split(","))
            found.setdefault(int(stream), []).append((dts, pts, digest))
    return found


def digests(path: Path) -> dict[int, list[str]]:
    """By stream: the MD5 of every packet's payload."""
    return {index: [digest for _, _, digest in rows] for index, rows in packets(path).items()}


def probe(path: Path, entries: str) -> list[str]:
    """``entries`` of every stream as ``ffprobe`` counts them, one line each."""
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_entries", f"stream={entries}"]
    answer = subprocess.run(
        [*command, "-of", "csv=p=0", str(path)], check=True, capture_output=True, text=True
    )
    return [line for line in answer.stdout.splitlines() if line]
