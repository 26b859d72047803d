"""Samples put into a test's own server by remote write: staleness markers and NaN payloads have no other way in.

The message is encoded by hand, from Protocol Buffers' 'Encoding' and Prometheus' remote write specification, so that
what the suite reads is held against something that it did not write itself.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from urllib.request import Request, urlopen

import cramjam
import google_crc32c

from cloudxai_analysis.sources.series import Labels

Sample = tuple[int, int]  # milliseconds, and the 64 bits of the value


def varint(number: int) -> bytes:
    """A number as protobuf writes it; a negative one as 64 bits."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes | int) -> bytes:
    """A field of a message: a length and bytes, or a varint."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    return varint(number << 3 | 2) + varint(len(content)) + content


def label_fields(labels: Labels) -> bytes:
    """A series' labels, sorted, as remote write and remote read carry them."""
    return b"".join(field(1, field(1, name.encode()) + field(2, labels[name].encode())) for name in sorted(labels))


def series(labels: Labels, samples: Iterable[Sample], histograms: Iterable[bytes] = ()) -> bytes:
    """One series of a write request."""
    written = label_fields(labels)
    for time, bits in samples:
        written += field(2, b"\x09" + struct.pack("<Q", bits) + field(2, time))
    return written + b"".join(field(4, histogram) for histogram in histograms)


def frame(message: bytes) -> bytes:
    """A frame of remote read as its specification has it: length, CRC-32C, message."""
    return varint(len(message)) + struct.pack(">I", google_crc32c.value(message)) + message


def chunk(kind: int, time: int, data: bytes) -> bytes:
    """A chunk of remote read that begins at a time."""
    return field(2, field(1, time) + field(2, time + 1) + field(3, kind) + field(4, data))


def xor_chunk(time: int, value: float, kind: int = 1) -> bytes:
    """A chunk that holds one sample; its encoding is XOR unless another kind is said."""
    return chunk(kind, time, b"\x00\x01" + varint(2 * time) + struct.pack(">d", value))


def native_histogram(time: int) -> bytes:
    """An empty integer histogram of schema 0, with one sample in its zero bucket."""
    zero = b"\x19" + struct.pack("<d", 0.0)  # the sum, field 3
    threshold = b"\x29" + struct.pack("<d", 2.0**-128)  # field 5
    return field(1, 1) + zero + field(4, 0) + threshold + field(6, 1) + field(15, time)


def remote_write(url: str, written: Sequence[bytes]) -> None:
    """Send series to the server at `url`, which must be started with `--web.enable-remote-write-receiver`."""
    body = bytes(cramjam.snappy.compress_raw(b"".join(field(1, one) for one in written)))
    headers = {
        "Content-Type": "application/x-protobuf",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    with urlopen(Request(f"{url}/api/v1/write", data=body, headers=headers), timeout=30) as answer:
        assert answer.status in (200, 204)
