"""The hot loops of remote read: where chunks lie in a stretch of frames, and their samples.

Importing it imports numba. Whatever the bytes say, the answer is a table or a fault's number, never
a read past the stretch: its last `PADDING` bytes are filler that a step of the decoder may look at
and never get past.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from cloudxai_analysis.ground.numba_cache import numba

PADDING = 64
FRAME_BYTES, ROW_BYTES = 5, 16  # no frame is shorter, and no part or chunk that holds a sample
# Columns of the tables that `index_frames` fills; places are byte offsets in the stretch.
FRAME_START, FRAME_END, FRAME_CRC = range(3)
PART_LABELS, PART_LABELS_END, PART_CHUNK, PART_SAMPLES = range(4)
CHUNK_START, CHUNK_END, CHUNK_KIND = range(3)
BROKEN = -1  # what `index_frames` says in place of a count
XOR = 1

# Tags of the messages' fields, as protobuf writes them: the field's number and its wire type.
_FIRST_FIELD, _SECOND_FIELD = 1 << 3 | 2, 2 << 3 | 2
_CHUNK_KIND_FIELD, _CHUNK_DATA_FIELD = 3 << 3, 4 << 3 | 2

_u = np.uint64
_INT = numba.int64
_BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)
_TABLE = numba.int64[:, ::1]


@numba.njit(inline="always")
def _varint(data: Any, at: Any, end: Any) -> Any:
    """The number at `at`, and the place after it, -1 where it does not end before `end`."""
    number, shift = np.int64(0), 0
    while at < end and shift < 63:
        byte = np.int64(data[at])
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at
    if at < end and shift == 63 and data[at] <= 1:
        return number | np.int64(_u(data[at]) << _u(63)), at + 1
    return np.int64(0), np.int64(-1)


@numba.njit(inline="always")
def _field(data: Any, at: Any, end: Any) -> Any:
    """Tag, content's start and end of the protobuf field at `at`; the end is -1 where it does not fit.

    Of a varint the start holds its value.
    """
    tag, at = _varint(data, at, end)
    if at < 0:
        return tag, at, np.int64(-1)
    wire = tag & 7
    if wire == 0:
        number, at = _varint(data, at, end)
        return tag, number, at
    size = np.int64(-1)
    if wire == 2:
        size, at = _varint(data, at, end)
    elif wire == 1:
        size = np.int64(8)
    elif wire == 5:
        size = np.int64(4)
    if at < 0 or size < 0 or size > end - at:
        return tag, at, np.int64(-1)
    return tag, at, at + size


@numba.njit
def _index_part(data: Any, at: Any, end: Any, row: Any, chunks: Any, chunk: Any) -> Any:
    """List the labels and chunks of the part in `data[at:end]`; the chunks so far, or `BROKEN`."""
    row[PART_LABELS] = row[PART_LABELS_END] = at
    row[PART_CHUNK], row[PART_SAMPLES] = chunk, 0
    while at < end:
        begin = at
        tag, content, at = _field(data, begin, end)
        if at < 0:
            return np.int64(BROKEN)
        if tag == _FIRST_FIELD:
            # The labels are read as one piece: they must stand together.
            if row[PART_LABELS] == row[PART_LABELS_END]:
                row[PART_LABELS] = begin
            elif row[PART_LABELS_END] != begin:
                return np.int64(BROKEN)
            row[PART_LABELS_END] = at
        elif tag == _SECOND_FIELD:
            kind = start = stop = np.int64(0)
            while content < at:
                tag, value, content = _field(data, content, at)
                if content < 0:
                    return np.int64(BROKEN)
                if tag == _CHUNK_KIND_FIELD:
                    kind = value
                elif tag == _CHUNK_DATA_FIELD:
                    start, stop = value, content
            if stop - start < 2 or chunk == len(chunks):
                return np.int64(BROKEN)
            chunks[chunk, CHUNK_START], chunks[chunk, CHUNK_END], chunks[chunk, CHUNK_KIND] = start, stop, kind
            chunk += 1
            if kind == XOR:
                row[PART_SAMPLES] += (np.int64(data[start]) << 8) | np.int64(data[start + 1])
    return chunk


@numba.njit(numba.types.UniTuple(_INT, 4)(_BYTES, _INT, _TABLE, _TABLE, _TABLE), cache=True, nogil=True)
def index_frames(data: Any, largest: Any, frames: Any, parts: Any, chunks: Any) -> Any:
    """List the whole frames in `data`, the parts of series in them and their chunks.

    Fills the three tables and returns their numbers of rows and the place up to which frames are
    whole; the first number is `BROKEN` where there is no frame of at most `largest` bytes. Sources:
    Prometheus, remote read API, 'Streamed chunks' (uvarint size, CRC-32C, message); Protocol
    Buffers, 'Encoding'.
    """
    end = np.int64(len(data) - PADDING)
    at = frame = part = chunk = np.int64(0)
    while at < end and frame < len(frames):
        size, body = _varint(data, at, min(end, at + 10))
        if size < 0 or size > largest or (body < 0 and end - at >= 10):
            return np.int64(BROKEN), part, chunk, at
        if body < 0 or body + 4 + size > end:
            break
        crc = np.int64(0)
        for place in range(body, body + 4):
            crc = (crc << 8) | np.int64(data[place])
        body += 4
        stop = body + size
        frames[frame, FRAME_START], frames[frame, FRAME_END], frames[frame, FRAME_CRC] = body, stop, crc
        frame += 1
        while body < stop:
            tag, inner, body = _field(data, body, stop)
            if body < 0 or part == len(parts):
                return np.int64(BROKEN), part, chunk, at
            if tag == _FIRST_FIELD:
                chunk = _index_part(data, inner, body, parts[part], chunks, chunk)
                if chunk < 0:
                    return np.int64(BROKEN), part, np.int64(0), at
                part += 1
        at = stop
    return frame, part, chunk, at


@numba.njit(inline="always")
def _bits(data: Any, position: Any) -> Any:
    """The 57 bits and more that begin at a bit's position, at the top of a word."""
    at = position >> _u(3)
    word = (
        (_u(data[at]) << _u(56))
        | (_u(data[at + _u(1)]) << _u(48))
        | (_u(data[at + _u(2)]) << _u(40))
        | (_u(data[at + _u(3)]) << _u(32))
        | (_u(data[at + _u(4)]) << _u(24))
        | (_u(data[at + _u(5)]) << _u(16))
        | (_u(data[at + _u(6)]) << _u(8))
        | _u(data[at + _u(7)])
    )
    return word << (position & _u(7))


@numba.njit(inline="always")
def _sixty_four(data: Any, position: Any) -> Any:
    """The 64 bits that begin at a bit's position."""
    return (_bits(data, position) >> _u(32) << _u(32)) | (_bits(data, position + _u(32)) >> _u(32))


@numba.njit(_INT(_BYTES, _TABLE, _TABLE, numba.int64[::1], numba.uint64[::1], numba.int64[::1]), cache=True, nogil=True)
def decode_parts(data: Any, parts: Any, chunks: Any, times: Any, values: Any, ends: Any) -> Any:  # noqa: PLR0912, PLR0915
    """Decode the XOR chunks of each part in turn.

    `times` and `values` (as bits) hold room for what the chunks say they have, and `ends` gets
    where a part's samples end in them. Returns -1, or the first chunk that is broken. Source:
    Prometheus, 'Chunks' disk format, 'XOR chunk data'; after Pelkonen et al., 'Gorilla', VLDB 2015.
    """
    out = np.int64(0)
    for part in range(len(parts)):
        first_chunk = parts[part, PART_CHUNK]
        last_chunk = parts[part + 1, PART_CHUNK] if part + 1 < len(parts) else len(chunks)
        for chunk in range(first_chunk, last_chunk):
            if chunks[chunk, CHUNK_KIND] != XOR:
                continue
            at, stop = chunks[chunk, CHUNK_START], chunks[chunk, CHUNK_END]
            limit = _u(stop) << _u(3)
            count = (np.int64(data[at]) << 8) | np.int64(data[at + 1])
            if count == 0:
                continue
            zigzag, at = _varint(data, at + 2, stop)
            if at < 0 or at + 8 > stop:
                return chunk
            time = np.int64((_u(zigzag) >> _u(1)) ^ (_u(0) - (_u(zigzag) & _u(1))))
            value = _sixty_four(data, _u(at) << _u(3))
            at += 8
            delta, leading, significant = np.int64(0), _u(0), _u(64)
            position = _u(at) << _u(3)
            for sample in range(count):
                if sample == 1:
                    delta, at = _varint(data, at, stop)
                    if at < 0:
                        return chunk
                    position = _u(at) << _u(3)
                if sample > 0:
                    if position >= limit:
                        return chunk
                    word = _bits(data, position)
                    used = _u(0)
                    if sample > 1:
                        used = _u(1)
                        if word >> _u(63) == _u(0):
                            pass
                        elif word >> _u(62) == _u(0b10):
                            step = np.int64((word << _u(2)) >> _u(50))
                            delta += step - (1 << 14) if step > 1 << 13 else step
                            used = _u(16)
                        elif word >> _u(61) == _u(0b110):
                            step = np.int64((word << _u(3)) >> _u(47))
                            delta += step - (1 << 17) if step > 1 << 16 else step
                            used = _u(20)
                        elif word >> _u(60) == _u(0b1110):
                            step = np.int64((word << _u(4)) >> _u(44))
                            delta += step - (1 << 20) if step > 1 << 19 else step
                            used = _u(24)
                        else:
                            if position + _u(69) > limit:
                                return chunk
                            delta += np.int64(_sixty_four(data, position + _u(4)))
                            position += _u(68)
                            word = _bits(data, position)
                            used = _u(0)
                        word <<= used
                    time += delta
                    if word >> _u(63) == _u(0):
                        position += used + _u(1)
                    else:
                        if word >> _u(62) == _u(0b11):
                            leading = (word << _u(2)) >> _u(59)
                            significant = (word << _u(7)) >> _u(58)
                            if significant == _u(0):
                                significant = _u(64)
                            if leading + significant > _u(64):
                                return chunk
                            used += _u(11)
                            word <<= _u(11)
                        used += _u(2)
                        word <<= _u(2)
                        position += used
                        if significant > _u(57):
                            word = _sixty_four(data, position)
                        elif used + significant > _u(57):
                            word = _bits(data, position)
                        value ^= (word >> (_u(64) - significant)) << (_u(64) - leading - significant)
                        position += significant
                    if position > limit:
                        return chunk
                times[out] = time
                values[out] = value
                out += 1
        ends[part] = out
    return np.int64(-1)
