"""Raw samples by Prometheus' streamed remote read: the chunks as they are stored, checked and decoded here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from itertools import islice
from typing import Any

import google_crc32c
import numpy as np
import requests

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.platform.settings import Limits
from cloudxai_analysis.sources import chunk_kernels as kernels
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.http_config import parsed_yaml
from cloudxai_analysis.sources.matchers import Stretch, selector
from cloudxai_analysis.sources.range_selectors import HISTOGRAMS_LEFT_OUT, RangeSelectors
from cloudxai_analysis.sources.remote_messages import labels_of, request
from cloudxai_analysis.sources.series import Labels, SeriesBatch, canonical_labels
from cloudxai_analysis.sources.series_parts import Decoded, Room, SampleRoom, assembled

STRETCH_BYTES = 1 << 20  # handed to a decoder at once: enough to make Python's part small, little enough to overlap
DECODERS = 2
_STREAMED = "application/x-streamed-protobuf"
_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "Accept": _STREAMED,
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}
# The encodings that Prometheus has besides XOR, whose samples can be counted: integer and float histograms.
_HISTOGRAMS = (2, 3)


class RemoteRead:
    """A server's raw samples by `POST /api/v1/read`, as chunks; `ranges` is the same server, for a second look.

    Staleness markers and every other NaN keep their bits. Source: Prometheus docs, 'Remote read API'.
    """

    def __init__(self, ranges: RangeSelectors, limits: Limits) -> None:
        self._ranges = ranges
        self._largest_frame = limits.frame_bytes
        self._decoders = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")

    def about(self) -> dict[str, Any]:
        """What the provenance says of this way."""
        return {
            "kind": "prometheus",
            "way": "streamed remote read over POST /api/v1/read",
            "hides_markers": False,
            "external_labels_left_out": dict(self.external_labels),
        }

    def offered(self) -> bool:
        """Whether the server answers remote read with frames; raises what `session.receive` does."""
        return bool(self._receive("Asked whether it offers remote_read", request("up", {}, 0, 1), _offers))

    def read(self, stretch: Stretch) -> SeriesBatch:
        """The stretch's samples; raises what `session.receive` does, and where fewer come than the server counts."""
        if not self.external_labels.keys().isdisjoint(stretch.matchers):
            # Remote read takes such a matcher for one on the server, and passes over series that have the label.
            return self._ranges.read(stretch)
        own = self._own_labels(stretch)
        if own is None:
            return self._ranges.read(stretch)
        whole, batch, histograms = self._receive(
            str(stretch),
            request(stretch.metric, stretch.matchers, stretch.start, stretch.end),
            lambda response, body: (False, *self._batch(response, body, stretch, own)),
        )
        self._ranges.notes.add(stretch.metric, histograms, HISTOGRAMS_LEFT_OUT)
        if not whole or not (batch.samples or histograms):
            self._ranges.hold_against_count(batch, stretch, besides=histograms)
        return batch

    def _receive(self, what: str, body: bytes, read: Any) -> Any:
        return self._ranges.session.receive(what, "api/v1/read", data=body, headers=_HEADERS, read=read)

    @cached_property
    def external_labels(self) -> Labels:
        """What the server adds to every series that leaves it by remote read, from its configuration."""
        try:
            return self._ranges.session.ask("Asked for its external labels", "status/config", read=_external_labels)
        except SourceAnswerError:
            return {}

    def _own_labels(self, stretch: Stretch) -> dict[str, Labels] | None:
        """By how remote read gives them, the label sets of series that have an external label by themselves.

        A tenant may be called as the server is: what a series has of its own stays. None where two series look the
        same once external labels are added, so that remote read cannot tell them apart.
        """
        if not self.external_labels:
            return {}
        alike = [
            selector(stretch.metric, {**stretch.matchers, name: value}) for name, value in self.external_labels.items()
        ]
        if not self._ranges.label_sets(stretch, alike):
            return {}
        found: dict[str, Labels] = {}
        for labels in self._ranges.label_sets(stretch, [stretch.selector]):
            given = canonical_labels({**self.external_labels, **labels})
            if given in found:
                return None
            found[given] = labels
        return found

    def _batch(
        self, response: requests.Response, body: Iterator[bytes], stretch: Stretch, own: Mapping[str, Labels]
    ) -> tuple[SeriesBatch, int]:
        """The samples of an answer, and how many samples of native histograms it holds besides."""
        if (content := _content_type(response)) != _STREAMED:
            raise SourceAnswerError(
                f"answered remote read with '{one_line(content)}' instead of frames. "
                "Check the URL and its path; a login page or a proxy may stand before the server."
            )
        decoded, histograms = self._from_frames(body, stretch)
        notes = self._ranges.notes
        return assembled(decoded, stretch, notes=notes, leave_out=self.external_labels, own=own), histograms

    def _from_frames(self, body: Iterator[bytes], stretch: Stretch) -> tuple[list[Decoded], int]:
        room, histograms = SampleRoom(), 0
        under_way: list[Future[Decoded]] = []
        try:
            for data, frames, parts, chunks in self._indexed(body):
                histograms += self._histograms(stretch.metric, data, chunks)
                taken = room.take(int(parts[:, kernels.PART_SAMPLES].sum()))
                job = self._decoders.submit(_decode, data, frames, parts, chunks, stretch, taken)
                under_way.append(job)
                # What is received but not yet decoded stays small, however fast the server is.
                for late in islice(reversed(under_way), DECODERS + 1, DECODERS + 2):
                    late.result()
            return [job.result() for job in under_way], histograms
        finally:
            _ended(under_way)

    def _indexed(self, body: Iterator[bytes]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
        """The body in stretches of whole frames, each with the tables of its frames, parts of series and chunks."""
        rest, pieces, size, seen = b"", [], 0, 0
        tables = _tables(2 * STRETCH_BYTES)
        for piece in _with_end(body):
            pieces.append(piece)
            size += len(piece)
            if piece and size < STRETCH_BYTES:
                continue
            raw = b"".join([rest, *pieces, bytes(kernels.PADDING)])
            data = np.frombuffer(raw, dtype=np.uint8)
            while True:
                if len(data) > kernels.ROW_BYTES * len(tables[0]):
                    tables = _tables(2 * len(data))
                frames, parts, chunks, whole = kernels.index_frames(data, self._largest_frame, *tables)
                if frames < 0:
                    raise self._garbled(frames, data[whole : -kernels.PADDING].tobytes(), seen)
                if not frames:
                    break
                seen += frames
                yield data, tables[0][:frames].copy(), tables[1][:parts].copy(), tables[2][:chunks].copy()
                data = data[whole:]
            rest = data[: -kernels.PADDING].tobytes()
            pieces, size = [], 0
        if rest:
            raise self._garbled(kernels.BROKEN, rest, seen)

    def _garbled(self, fault: int, text: bytes, seen: int) -> SourceAnswerError:
        if fault == kernels.TOO_LARGE:
            what = f"sent a frame of more than {self._largest_frame:,} bytes, or something that is no frame"
        else:
            what = "ended its answer with something that is no frame"
        said = one_line(text[:200].decode(errors="replace")) if _is_text(text[:200]) else ""
        return SourceAnswerError(
            f"{what}, after {seen:,} whole frames{f': {said}' if said else ''}. The answer is not taken for whole: "
            "look at the server's log, and run again."
        )

    def _histograms(self, metric: str, data: np.ndarray, chunks: np.ndarray) -> int:
        """How many samples of native histograms the chunks hold; chunks of unknown encodings are noted."""
        histograms = 0
        for start, _, kind in chunks[chunks[:, kernels.CHUNK_KIND] != kernels.XOR].tolist():
            if kind in _HISTOGRAMS:
                histograms += int(data[start]) << 8 | int(data[start + 1])
            else:
                self._ranges.notes.add(metric, 1, f"chunks of the unknown encoding {kind} were left out.")
        return histograms


def _decode(
    data: np.ndarray,
    frames: np.ndarray,
    parts: np.ndarray,
    chunks: np.ndarray,
    stretch: Stretch,
    room: Room,
) -> Decoded:
    for start, end, crc in frames.tolist():
        if google_crc32c.value(data[start:end].tobytes()) != crc:
            raise SourceAnswerError(
                f"sent a frame whose CRC-32C is not the one it states ({crc:08x}): something between it and this "
                "suite changed the bytes. Nothing was taken; run again."
            )
    kept = np.empty((len(parts), 3), dtype=np.int64)
    times, bits = room.times[room.start : room.end], room.values[room.start : room.end].view(np.uint64)
    if kernels.decode_parts(data, parts, chunks, len(chunks), stretch.start, stretch.end, times, bits, kept) >= 0:
        raise SourceAnswerError(
            "sent a chunk whose samples cannot be decoded, though its checksum is right. Nothing was taken; look at "
            "the server's version, and report it."
        )
    kept[:, :2] += room.start
    edges = parts[:, [kernels.PART_LABELS, kernels.PART_LABELS_END]].tolist()
    return Decoded([data[start:end].tobytes() for start, end in edges], labels_of, kept, room.times, room.values)


def _tables(size: int) -> list[np.ndarray]:
    """Room for the rows of all frames, parts and chunks that so many bytes can hold; made once, for it costs more."""
    return [np.empty((size // kernels.ROW_BYTES, columns), dtype=np.int64) for columns in (3, 4, 3)]


def _with_end(body: Iterator[bytes]) -> Iterator[bytes]:
    yield from body
    yield b""


def _offers(response: requests.Response, body: Iterator[bytes]) -> bool:
    for _ in body:
        pass
    return _content_type(response) == _STREAMED


def _content_type(response: requests.Response) -> str:
    return response.headers.get("Content-Type", "nothing").partition(";")[0].strip().lower()


def _external_labels(data: Any) -> Labels:
    labels = parsed_yaml(data["yaml"].encode())["global"].get("external_labels") or {}
    if not all(isinstance(value, str) for value in labels.values()):
        raise ValueError
    return dict(labels)


def _is_text(data: bytes) -> bool:
    return data.isascii() and data.decode("ascii").replace("\n", " ").isprintable()


def _ended(jobs: list[Future[Decoded]]) -> None:
    for job in jobs:
        job.cancel()
