"""The two messages of Prometheus' remote read that are made and read here: what is asked for, and a series' labels.

Source: Prometheus docs, 'Remote read API', and the field numbers of its public definitions; Protocol Buffers,
'Encoding'. Frames and chunks are read by `chunk_kernels`.
"""

from __future__ import annotations

import cramjam

from cloudxai_analysis.sources.series import Labels

_STREAMED_XOR_CHUNKS = 1
# Tags, as protobuf writes them: the field's number and its wire type, 0 for numbers and 2 for what has a length.
_FIRST, _SECOND, _THIRD = (number << 3 | 2 for number in (1, 2, 3))
_FIRST_NUMBER, _SECOND_NUMBER = 1 << 3, 2 << 3


def request(metric: str, matchers: Labels, start_ms: int, end_ms: int) -> bytes:
    """The body that asks for the chunks in `[start_ms, end_ms)` of a metric's series with these labels.

    Remote read's own windows hold both of their ends. A matcher's type is left out, which makes it an equality.
    """
    query = bytes([_FIRST_NUMBER]) + _number(start_ms) + bytes([_SECOND_NUMBER]) + _number(end_ms - 1)
    for name, value in {"__name__": metric, **matchers}.items():
        # A matcher's first field is its type.
        query += _field(_THIRD, _field(_SECOND, name.encode()) + _field(_THIRD, value.encode()))
    asked = _field(_FIRST, query) + _field(_SECOND, _number(_STREAMED_XOR_CHUNKS))
    return bytes(cramjam.snappy.compress_raw(asked))


def labels_of(encoded: bytes) -> dict[str, str]:
    """The labels of a series from their part of its message; raises ValueError where they are none."""
    labels: dict[str, str] = {}
    at = 0
    try:
        while at < len(encoded):
            tag, inner, at = _piece(encoded, at, len(encoded))
            texts = {_FIRST: "", _SECOND: ""}
            while inner < at:
                part, start, inner = _piece(encoded, inner, at)
                texts[part] = encoded[start:inner].decode()
            name, value = texts.values()
            if tag != _FIRST or name in labels:
                raise ValueError
            labels[name] = value
    except IndexError:
        raise ValueError from None
    return labels


def _piece(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, and content's start and end, of the field with a length at `at`; ValueError where it ends after `end`."""
    tag, size, at = data[at], data[at + 1], at + 2
    shift = 7
    while data[at - 1] >= 128 and shift < 35:
        size = size & ((1 << shift) - 1) | data[at] << shift
        at, shift = at + 1, shift + 7
    if at + size > end:
        raise ValueError
    return tag, at, at + size


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _number(len(content)) + content


def _number(number: int) -> bytes:
    """A whole number as protobuf writes it; a negative one as 64 bits."""
    rest, written = number & (1 << 64) - 1, bytearray()
    while rest > 127:
        written.append(rest & 127 | 128)
        rest >>= 7
    return bytes([*written, rest])
