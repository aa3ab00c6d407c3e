"""The wire codecs by name: ``native`` is our own, ``savant`` needs the extra of that name."""

from __future__ import annotations

from typing import Literal

from jobengine.messaging.sockets.codec import Decoder, Encoder
from jobengine.messaging.sockets.native import NativeDecoder, NativeEncoder
from jobengine.messaging.sockets.savant_decoder import SavantDecoder
from jobengine.messaging.sockets.savant_encoder import SavantEncoder
from jobengine.ports.sink import SinkStream

CodecName = Literal["native", "savant"]


def decoder(codec: CodecName) -> Decoder:
    """A decoder. Raises MediaError if the codec's library is not installed."""
    return NativeDecoder() if codec == "native" else SavantDecoder()


def encoder(codec: CodecName, stream: SinkStream) -> Encoder:
    """An encoder of one stream. Raises MediaError if the codec's library is not installed."""
    return NativeEncoder(stream) if codec == "native" else SavantEncoder(stream)
