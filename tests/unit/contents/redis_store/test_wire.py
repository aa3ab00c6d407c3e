"""Packed commands are those that redis-py would send."""

from __future__ import annotations

import redis
from hypothesis import given
from hypothesis import strategies as st

from jobengine.contents.redis_store.wire import Rope, pack

WORDS = st.binary(max_size=40) | st.integers(-(2**63), 2**63) | st.text(max_size=10) | st.just(b"x" * 9000)
COMMANDS = st.lists(
    st.tuples(st.sampled_from(["SET", "GET"]), st.lists(WORDS, max_size=4)), min_size=1, max_size=4
)


@given(COMMANDS)
def test_commands_are_packed_as_redis_py_packs_them(
    commands: list[tuple[str, list[bytes | int | str]]],
) -> None:
    theirs = redis.Connection().pack_commands([(name, *words) for name, words in commands])

    ours = pack([(name, *words) for name, words in commands])

    assert b"".join(ours) == b"".join(theirs)


@given(st.lists(st.binary(max_size=40) | st.just(b"y" * 9000), max_size=5))
def test_a_rope_is_one_word(buffers: list[bytes]) -> None:
    whole = b"".join(buffers)

    assert b"".join(pack([("SET", Rope(buffers, len(whole)))])) == b"".join(pack([("SET", whole)]))


def test_large_buffers_are_sent_from_where_they_lie() -> None:
    large = bytearray(10_000)

    assert any(piece is large for piece in pack([("SET", b"key", large)]))
