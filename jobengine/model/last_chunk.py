"""How the http process knows that a body in chunks is whole: its server doesn't tell an end from a fault.

The proxy before it knows where the last chunk is, and puts one of its own before that: the secret that both
know. A body without it broke off, or its chunks made no sense.
"""

from __future__ import annotations


def mark(secret: str) -> bytes:
    """What a whole body ends with."""
    return secret.encode()


def marking_chunk(secret: str) -> bytes:
    """The chunk that the proxy puts before the last."""
    return b"%x\r\n%b\r\n" % (len(mark(secret)), mark(secret))
