"""What may be asked of a payload beside its address: a method, a range, parameters."""

from __future__ import annotations

import pytest

from tests.unit.rest.beams.beam import Beam, is_beam_error


@pytest.fixture
def eight(with_f: Beam) -> Beam:
    """A packet of eight bytes."""
    with_f.put("0/packet_42", {"type": "Packet"})
    with_f.put_data("0/packet_42/data", b"aaaabbcc")
    return with_f


@pytest.mark.parametrize("query", ["", "?keep_s=60"])
def test_head_knows_no_ranges(eight: Beam, query: str) -> None:
    path = f"/beams/test_url/0/packet_42/data{query}"

    response = eight.client.head(path, headers={"Range": "bytes=1-2"})

    assert (response.status_code, response.headers["Content-Length"], response.data) == (200, "8", b"")


@pytest.mark.parametrize("data", ["/data", ".raw"])
@pytest.mark.parametrize("query", ["wait=100", "limit=5", "key=1", "foo=1"])
def test_parameters_that_mean_nothing_for_a_payload_are_refused_whatever_its_address(
    eight: Beam, data: str, query: str
) -> None:
    response = eight.get(f"0/packet_42{data}?{query}&keep_s=5")

    assert is_beam_error(response, 400)
    assert query.partition("=")[0] in response.get_json()["message"]
