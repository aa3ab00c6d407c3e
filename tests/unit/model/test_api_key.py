"""An API key is text for its client, and an id and a hash for the service."""

from __future__ import annotations

import pytest

from jobengine.model.api_key import ApiKey


def test_a_key_is_read_as_it_was_written() -> None:
    key = ApiKey("a1", "s_e-cret")
    assert str(key) == "je_a1_s_e-cret"
    assert ApiKey.read(str(key)) == key


@pytest.mark.parametrize("text", ["", "je_", "je_a1", "je_a1_", "a1_secret", "je_a-1_secret", "je_a1_sécret"])
def test_what_has_another_form_is_no_key(text: str) -> None:
    assert ApiKey.read(text) is None


def test_the_secret_is_hashed_and_not_shown_in_logs() -> None:
    key = ApiKey("a1", "abc")
    assert key.secret_hash == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert "abc" not in repr(key)
