"""Raw samples by Prometheus' streamed remote read: stored chunks, checked and decoded here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final

import cramjam
import google_crc32c
import numpy as np
import requests

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.sources import chunk_kernels as kernels
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.credentials import parsed_yaml
from cloudxai_analysis.sources.promql import selector, texts_of
from cloudxai_analysis.sources.range_selectors import Garbled, RangeSelectors
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.sources.series_parts import Assembly, Stretch

STRETCH_BYTES = 1 << 20  # decoded at once: enough to make Python's part small
_STREAMED = "application/x-streamed-protobuf"
HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "Accept": _STREAMED,
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}
# Encodings besides XOR, whose samples can be counted: integer and float histograms.
_HISTOGRAMS = (2, 3)
_STREAMED_XOR_CHUNKS = 1
_GLOBAL = re.compile(r"^global:.*\n?(?:[ \t#].*\n?|\n)*", re.MULTILINE)
_LONGEST_SECTION = 100_000
# Tags of protobuf: the field's number and its wire type, 0 for numbers, 2 for what has a length.
_FIRST, _SECOND, _THIRD = (number << 3 | 2 for number in (1, 2, 3))
_FIRST_NUMBER, _SECOND_NUMBER = 1 << 3, 2 << 3


class RemoteRead:
    """A server's raw samples by `POST /api/v1/read`; `ranges` is the same server, which counts.

    Staleness markers and every other NaN keep their bits. Source: Prometheus docs, 'Remote read
    API'.
    """

    way: Final = "remote_read"

    def __init__(self, ranges: RangeSelectors) -> None:
        self._ranges = ranges
        self._limits = ranges.session.limits

    def about(self) -> dict[str, Any]:
        """What the provenance says of this way."""
        way, left_out = "streamed remote read over POST /api/v1/read", dict(self.external_labels)
        return {"kind": "prometheus", "way": way, "hides_markers": False, "external_labels_left_out": left_out}

    def offered(self) -> bool:
        """Whether the server answers with frames; raises what `session.receive` does."""

        def streamed(response: requests.Response, body: Iterator[bytes]) -> bool:
            for _ in body:
                pass
            return _content_type(response) == _STREAMED

        return bool(self._receive("Asked whether it offers remote_read", request("up", {}, 0, 1), streamed))

    def read(self, stretch: Stretch) -> SeriesBatch:
        """The stretch's samples; raises what `session.receive` and `RangeSelectors.whole` do."""
        own = self._own_labels(stretch)
        if own is None:
            return self._ranges.read(stretch)

        def assembly(response: requests.Response, body: Iterator[bytes]) -> Assembly:
            if (content := _content_type(response)) != _STREAMED:
                raise SourceAnswerError(
                    f"answered remote read with '{one_line(content)}' instead of frames. "
                    "Check the URL and its path; a login page or a proxy may stand before the server."
                )
            found = Assembly(stretch, self._limits, leave_out=self.external_labels, own=own)
            for data, frames, parts, chunks in self._indexed(body):
                _decode(data, frames, parts, chunks, found, self._limits.labels)
            return found

        message = request(stretch.metric, stretch.matchers, stretch.start, stretch.end)
        return self._ranges.whole(stretch, lambda _: self._receive(str(stretch), message, assembly))

    def _receive(self, what: str, body: bytes, read: Any) -> Any:
        return self._ranges.session.receive(what, "read", data=body, headers=HEADERS, read=read)

    @cached_property
    def external_labels(self) -> Labels:
        """What the server adds to every series that leaves it by remote read, as it is configured."""
        try:
            return self._ranges.session.ask("Asked for its external labels", "status/config", read=_external_labels)
        except SourceAnswerError:
            return {}

    def _own_labels(self, stretch: Stretch) -> dict[str, Labels] | None:
        """By how remote read gives them, label sets of series that have an external label themselves.

        None where remote read cannot tell: two series look the same once external labels are added,
        or a matcher names one, which it takes for the server.
        """
        if not self.external_labels.keys().isdisjoint(stretch.matchers):
            return None
        external = self.external_labels.items()
        alike = [selector(stretch.metric, {**stretch.matchers, name: value}) for name, value in external]
        if not alike or not self._ranges.label_sets(stretch, alike):
            return {}
        label_sets = self._ranges.label_sets(stretch, [stretch.selector])
        found = {canonical_labels({**self.external_labels, **labels}): labels for labels in label_sets}
        return found if len(found) == len(label_sets) else None

    def _indexed(self, body: Iterator[bytes]) -> Iterator[tuple[np.ndarray, ...]]:
        """The body in stretches of whole frames, with the tables of their frames, parts and chunks."""
        rest, seen, tables = b"", 0, _tables(2 * STRETCH_BYTES)
        for piece in _joined(body):
            raw = rest + piece
            data = np.frombuffer(raw + bytes(kernels.PADDING), dtype=np.uint8)
            if len(data) > kernels.ROW_BYTES * len(tables[1]):
                tables = _tables(2 * len(data))
            frames, parts, chunks, whole = kernels.index_frames(data, self._limits.frame_bytes, *tables)
            rest = raw[whole:]
            if frames < 0:
                break
            seen += frames
            yield data, tables[0][:frames], tables[1][:parts], tables[2][:chunks]
        if rest:
            words = rest[:200].replace(b"\n", b" ").decode(errors="replace")
            said = f": {one_line(words)}" if words.isascii() and words.isprintable() else ""
            raise Garbled(
                f"sent something that is no frame of at most {self._limits.frame_bytes:,} bytes, after {seen:,} whole "
                f"frames{said}. The answer is not taken for whole: look at the server's log, and run again."
            )


def request(metric: str, matchers: Labels, start_ms: int, end_ms: int) -> bytes:
    """The body that asks for the chunks in `[start_ms, end_ms)` of series with these labels.

    A matcher without a type is an equality. Source: Prometheus docs, 'Remote read API', its
    definitions.
    """
    query = bytes([_FIRST_NUMBER]) + _number(start_ms) + bytes([_SECOND_NUMBER]) + _number(end_ms - 1)
    for name, value in {"__name__": metric, **matchers}.items():
        # A matcher's first field is its type.
        query += _field(_THIRD, _field(_SECOND, name.encode()) + _field(_THIRD, value.encode()))
    asked = _field(_FIRST, query) + _field(_SECOND, _number(_STREAMED_XOR_CHUNKS))
    return bytes(cramjam.snappy.compress_raw(asked))


def labels_of(encoded: bytes, most: int) -> dict[str, str]:
    """The labels of a series from their part of its message, one more than `most` at most; ValueError of none."""
    labels: dict[str, str] = {}
    at = 0
    try:
        while at < len(encoded) and len(labels) <= most:
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


def _decode(
    data: np.ndarray, frames: np.ndarray, parts: np.ndarray, chunks: np.ndarray, found: Assembly, most: int
) -> None:
    """Add the samples of the frames to what was found; a series has `most` labels."""
    for start, end, crc in frames.tolist():
        if google_crc32c.value(data[start:end].tobytes()) != crc:
            raise SourceAnswerError(
                f"sent a frame whose CRC-32C is not the one it states ({crc:08x}): something between it and this "
                "suite changed the bytes. Nothing was taken; run again."
            )
    for start, _, kind in chunks[chunks[:, kernels.CHUNK_KIND] != kernels.XOR].tolist():
        if kind in _HISTOGRAMS:
            found.histograms(int(data[start]) << 8 | int(data[start + 1]))
        else:
            found.left_out[f"chunks of the unknown encoding {kind} were left out."] += 1
    room = int(parts[:, kernels.PART_SAMPLES].sum())
    found.reserve(room, max(len(frames) - len(parts), 0))
    times, values, ends = np.empty(room, np.int64), np.empty(room, np.float64), np.empty(len(parts), np.int64)
    if kernels.decode_parts(data, parts, chunks, times, values.view(np.uint64), ends) >= 0:
        raise SourceAnswerError(
            "sent a chunk whose samples cannot be decoded, though its checksum is right. Nothing was taken; look at "
            "the server's version, and report it."
        )
    begin = 0
    edges = parts[:, [kernels.PART_LABELS, kernels.PART_LABELS_END]].tolist()
    for (start, stop), end in zip(edges, ends.tolist(), strict=True):
        try:
            labels = labels_of(data[start:stop].tobytes(), most)
        except ValueError:
            labels = {}
        found.add(labels, times[begin:end], values[begin:end])
        begin = end


def _tables(size: int) -> list[np.ndarray]:
    """Room for all frames, parts and chunks that so many bytes can hold; made once, for it costs much."""
    shapes = ((kernels.FRAME_BYTES, 3), (kernels.ROW_BYTES, 4), (kernels.ROW_BYTES, 3))
    return [np.empty((size // least + 1, columns), dtype=np.int64) for least, columns in shapes]


def _joined(body: Iterator[bytes]) -> Iterator[bytes]:
    pieces, size = [], 0
    for piece in body:
        pieces.append(piece)
        size += len(piece)
        if size >= STRETCH_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)


def _piece(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Tag, and content's start and end, of the field at `at`; ValueError where it ends after `end`."""
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


def _content_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "nothing").partition(";")[0].strip().lower()


def _external_labels(data: Any) -> Labels:
    """Those of a configuration, whose other sections are passed over unread: they can be long, and are anybody's."""
    sections = _GLOBAL.findall(data["yaml"])
    if len(sections) != 1 or len(sections[0]) > _LONGEST_SECTION:
        raise ValueError
    return texts_of(parsed_yaml(sections[0].encode())["global"].get("external_labels") or {})
