"""The messages of Prometheus' remote read, defined here from its documentation and made by protobuf's own runtime.

Source: Prometheus docs, 'Remote read API', and the field numbers of its public definitions. Only what is read or
written here is defined; protobuf passes over every other field.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from cloudxai_analysis.sources.series import Labels

_PACKAGE = "cloudxai.remote_read"
_NUMBER, _REAL, _TEXT, _MESSAGE = 3, 1, 9, 11  # int64, double, string and message, as protobuf numbers its types
SAMPLES, STREAMED_XOR_CHUNKS = 0, 1
_EQUAL = 0
# Name, number, type, repeated, and of a message its own name. Of a native histogram only its being there is counted.
_FIELDS: dict[str, list[tuple[str, int, int, bool, str]]] = {
    "Matcher": [("type", 1, _NUMBER, False, ""), ("name", 2, _TEXT, False, ""), ("value", 3, _TEXT, False, "")],
    "Query": [
        ("start_ms", 1, _NUMBER, False, ""),
        ("end_ms", 2, _NUMBER, False, ""),
        ("matchers", 3, _MESSAGE, True, "Matcher"),
    ],
    "Request": [("queries", 1, _MESSAGE, True, "Query"), ("accepted", 2, _NUMBER, True, "")],
    "Label": [("name", 1, _TEXT, False, ""), ("value", 2, _TEXT, False, "")],
    "LabelSet": [("labels", 1, _MESSAGE, True, "Label")],
    "Sample": [("value", 1, _REAL, False, ""), ("time_ms", 2, _NUMBER, False, "")],
    "Histogram": [],
    "Series": [
        ("labels", 1, _MESSAGE, True, "Label"),
        ("samples", 2, _MESSAGE, True, "Sample"),
        ("histograms", 4, _MESSAGE, True, "Histogram"),
    ],
    "Result": [("series", 1, _MESSAGE, True, "Series")],
    "Response": [("results", 1, _MESSAGE, True, "Result")],
}


@cache
def _message(name: str) -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="remote_read.proto", package=_PACKAGE, syntax="proto3")
    for message, fields in _FIELDS.items():
        described = file.message_type.add(name=message)
        for field, number, kind, repeated, of in fields:
            made = described.field.add(name=field, number=number, type=kind, label=3 if repeated else 1)
            if of:
                made.type_name = f".{_PACKAGE}.{of}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    classes = message_factory.GetMessageClassesForFiles([file.name], pool)
    return {key.rpartition(".")[2]: made for key, made in classes.items()}[name]


def request(metric: str, matchers: Labels, start_ms: int, end_ms: int) -> bytes:
    """The body that asks for the samples in `[start_ms, end_ms)` of a metric's series with these labels.

    Chunks are asked for before samples; remote read's own windows hold both of their ends.
    """
    asked = _message("Request")(accepted=[STREAMED_XOR_CHUNKS, SAMPLES])
    query = asked.queries.add(start_ms=start_ms, end_ms=end_ms - 1)
    for name, value in {"__name__": metric, **matchers}.items():
        query.matchers.add(type=_EQUAL, name=name, value=value)
    return bytes(cramjam.snappy.compress_raw(asked.SerializeToString()))


def labels_of(encoded: bytes) -> dict[str, str]:
    """The labels of a series from their part of its message; raises ValueError where they are none."""
    try:
        found = _message("LabelSet").FromString(encoded).labels
    except DecodeError:
        raise ValueError from None
    labels = {label.name: label.value for label in found}
    if len(labels) != len(found):
        raise ValueError
    return labels


def series_of(body: bytes, *, largest: int) -> list[Any]:
    """The series of a packed SAMPLES answer: `labels`, `samples` (`time_ms`, `value`) and `histograms` each.

    Raises
    ------
    ValueError
        The body is no such answer, or of more than `largest` bytes when unpacked.
    """
    try:
        if cramjam.snappy.decompress_raw_len(body) > largest:
            raise ValueError
        response = _message("Response").FromString(bytes(cramjam.snappy.decompress_raw(body)))
    except (cramjam.DecompressionError, DecodeError):
        raise ValueError from None
    return [series for result in response.results for series in result.series]
