"""The API in this process, and the documents of its acceptance cases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from werkzeug.test import TestResponse

from tests.unit.rest.bench import Bench

OCTETS = "application/octet-stream"
TIME_BASE = [1, 90000]
F: dict[str, Any] = {
    "type": "demuxer",
    "url": "test_url",
    "interleaved": True,
    "streams": [
        {
            "type": "Stream",
            "index": 0,
            "id": 301,
            "time_base": TIME_BASE,
            "start_time": 7200,
            "codecpar": {
                "type": "CodecParameters",
                "codec_type": "video",
                "codec_id": 173,
                "name": "hevc",
                "extradata": {"type": "Buffer", "data": [1, 2, 3]},
                "format": "yuv420p",
                "width": 1920,
                "height": 1080,
            },
        },
        {
            "type": "Stream",
            "index": 1,
            "id": 302,
            "time_base": TIME_BASE,
            "codecpar": {
                "type": "CodecParameters",
                "codec_type": "audio",
                "name": "aac",
                "sample_rate": 44100,
                "channels": 2,
                "channel_layout": "stereo",
            },
        },
    ],
}
K: dict[str, Any] = {
    "type": "Packet",
    "stream_index": 3,
    "pts": 42,
    "dts": 43,
    "size": 16383,
    "flags": {"KEY": True, "TRUSTED": True},
    "side_data": {"type": "PacketSideData", "replaygain": {"type": "Buffer", "data": [1, 2, 3]}},
    "duration": 44,
    "pos": 45,
}
K_BYTES = bytes(range(256)) * 64
R_SIZES = [2073600, 1036800, 1036800]
R: dict[str, Any] = {
    "type": "Frame",
    "stream_index": 0,
    "pts": 42,
    "linesize": [1920, 960, 960],
    "width": 1920,
    "height": 1080,
    "format": "yuv420p",
    "buf_sizes": R_SIZES,
}
R_PLANES = [bytes([number]) * size for number, size in enumerate(R_SIZES, 1)]


class Beam:
    """Calls below ``/beams``."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.client = bench.client
        self.store = bench.contents

    def post(self, streams: int | None = None, **members: Any) -> TestResponse:
        """Make F, or a content with so many streams in its place."""
        time_base = members.pop("time_base", TIME_BASE)
        document = {**F, **members}
        if streams is not None:
            document["streams"] = [
                {"type": "Stream", "index": index, "time_base": time_base} for index in range(streams)
            ]
        response = self.client.post("/beams", json=document)
        assert response.status_code == 201, response.text
        return response

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET below the content of the cases."""
        return self.client.get(f"/beams/test_url/{path}", **options)

    def put(self, path: str, document: Any = None, **options: Any) -> TestResponse:
        """PUT a JSON document there."""
        return self.client.put(f"/beams/test_url/{path}", json=document, **options)

    def put_data(self, path: str, data: bytes, content_type: str = OCTETS, **headers: str) -> TestResponse:
        """PUT a payload there; underscores in the names of headers become hyphens."""
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return self.client.put(f"/beams/test_url/{path}", data=data, content_type=content_type, headers=named)

    def put_packets(self, stream: int, times: Iterable[int]) -> None:
        """Packets without payload."""
        for pts in times:
            response = self.put(f"stream_{stream}/packet_{pts}", {"type": "Packet", "pts": pts})
            assert response.status_code == 201, response.text

    def times(self, path: str) -> list[int] | int:
        """The pts that a reference finds, or the status if it finds nothing."""
        response = self.get(path)
        if response.status_code != 200:
            return response.status_code
        found = response.get_json()
        return [document["pts"] for document in (found if isinstance(found, list) else [found])]


def is_beam_error(response: TestResponse, status: int) -> bool:
    """Whether an error is told in the members of both forms."""
    told = response.get_json()
    return bool(
        response.status_code == status
        and response.mimetype == "application/problem+json"
        and told["statusCode"] == told["status"] == status
        and told["error"]
        and told["message"] == told["detail"]
    )
