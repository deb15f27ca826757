"""The smallest image and the shortest sound there are, base64 encoded."""

from __future__ import annotations

import base64
import io
import struct
import wave
import zlib


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png() -> bytes:
    size_depth_and_colours = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    red_row = zlib.compress(b"\0\xff\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size_depth_and_colours) + _chunk(b"IDAT", red_row) + _chunk(b"IEND", b"")
    )


def _wav() -> bytes:
    written = io.BytesIO()
    with wave.open(written, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(b"\0\0")
    return written.getvalue()


SQUARE = base64.b64encode(_png()).decode()
"""One red pixel, PNG."""

SOUND = base64.b64encode(_wav()).decode()
"""One silent sample, WAV."""
