"""Streamed remote read from a real Prometheus, bit for bit; and from answers that were cut, changed or made up."""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.request import Request, urlopen

import numpy as np
import pytest
from hostile_server import Hostile, hostile_server
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import START, START_MS, WEEK, Reader, bits_of, reader, serving
from remote_write import chunk, field, frame, label_fields, native_histogram, remote_write, varint, xor_chunk
from remote_write import series as written
from servers import Server

from cloudxai_analysis.ground.errors import CloudxaiError, SourceAnswerError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.remote_read import request
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels
from cloudxai_analysis.sources.series_parts import DOUBLES_LEFT_OUT, HISTOGRAMS_LEFT_OUT

MARKER = 0x7FF0000000000002
CONFIG = """
global: {external_labels: {cluster: beta, replica: a}}
storage: {tsdb: {out_of_order_time_window: 30d}}
"""
OPTIONS = ("--web.enable-remote-write-receiver", "--enable-feature=native-histograms")
ANY_BITS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.sampled_from([MARKER, 0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000000, 1 << 63, 0, 1]),
    st.integers(-(2**40), 2**40).map(lambda n: struct.unpack("<Q", struct.pack("<d", n / 8))[0]),
)

pytestmark = pytest.mark.server


def source_at(url: str, **limits: Any) -> Reader:
    return reader(url, "remote_read", **limits)


@pytest.fixture(scope="module")
def server(start_prometheus: Callable[..., Server]) -> Server:
    """A Prometheus with external labels, that takes samples by remote write, late ones too."""
    server = start_prometheus(config=CONFIG, options=OPTIONS)
    histograms = [native_histogram(START_MS + 15_000 * n) for n in range(5)]
    remote_write(server.url, [written({"__name__": "native"}, [], histograms)])
    return server


@pytest.fixture(scope="module")
def source(server: Server) -> Reader:
    return source_at(server.url)


_names = itertools.count()


@given(
    st.lists(
        st.tuples(st.one_of(st.sampled_from([1, 15_000, 15_000, 60_000]), st.integers(1, 2_000_000)), ANY_BITS),
        min_size=1,
        max_size=130,
    )
)
def test_any_bits_at_any_steps_come_back(server: Server, source: Reader, points: list) -> None:
    name = f"any_{next(_names)}"
    times = START_MS + np.cumsum([step for step, _ in points])
    samples = [(int(time), bits) for time, (_, bits) in zip(times, points, strict=True)]
    remote_write(server.url, [written({"__name__": name}, samples)])
    assert bits_of(source.read(name, {}, Window(START, START + timedelta(days=30)))) == {"{}": samples}


@settings(max_examples=max(20, settings().max_examples // 4))
@given(st.data())
def test_samples_that_came_late_stand_in_their_place(server: Server, source: Reader, data: Any) -> None:
    name = f"late_{next(_names)}"
    times = data.draw(st.lists(st.integers(0, 600), min_size=2, max_size=200, unique=True))
    samples = [(START_MS + 1_000 * time, data.draw(ANY_BITS)) for time in times]
    remote_write(server.url, [written({"__name__": name}, [sample]) for sample in samples])
    edges = sorted(data.draw(st.tuples(st.integers(0, 600), st.integers(0, 600))))
    window = Window(*(START + timedelta(seconds=edge) for edge in edges))
    expected = sorted((time, bits) for time, bits in samples if window.start_ms <= time < window.end_ms)
    assert bits_of(source.read(name, {}, window)) == ({"{}": expected} if expected else {})


@pytest.fixture(scope="module")
def large(server: Server) -> list[tuple[dict[str, str], list[tuple[int, int]]]]:
    """Sixty series of two days at 15 s, of random floats: several stretches of frames, and markers among them."""
    draw = np.random.default_rng(20261109)
    made = []
    for number in range(60):
        values = draw.random(11_520)
        bits = values.view(np.uint64)
        bits[::1_000] = MARKER
        times = START_MS + 15_000 * np.arange(len(bits), dtype=np.int64)
        labels = {"tenant": f"t{number:02d}", "text": '"},\n\\ 漢字' * (number % 3)}
        made.append((labels, list(zip(times.tolist(), bits.tolist(), strict=True))))
    for labels, samples in made:
        remote_write(server.url, [written({"__name__": "large", **labels}, samples)])
    return made


def test_many_series_in_many_frames(source: Reader, large: list) -> None:
    found = bits_of(source.read("large", {}, WEEK))
    # One by one, since a comparison of all 691,200 samples would be explained for an hour.
    assert sorted(found) == sorted(canonical_labels(labels) for labels, _ in large)
    for labels, samples in large:
        assert len(found[canonical_labels(labels)]) == len(samples), labels
        assert (found[canonical_labels(labels)] == samples) is True, labels


def test_external_labels_are_left_out_and_matched_by_range_selectors(source: Reader, large: list) -> None:
    assert source.way.about()["external_labels_left_out"] == {"cluster": "beta", "replica": "a"}
    # No series carries the label in the server's own storage.
    assert source.read("large", {"cluster": "beta"}, WEEK).samples == 0


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [*{a}, *{a}, *{a}]\n" for a, b in itertools.pairwise("abcdefghijklmnopqr")
)


@pytest.mark.parametrize(
    ("config", "labels"),
    [
        ("global: {external_labels: {replica: 007, ja: yes}}", {"replica": "007", "ja": "yes"}),
        ("global: {}", {}),
        ("global:\nrule_files: [x]", {}),
        (f"{BOMB}global: {{external_labels: *r}}", {}),
        ("[" * 100_000, {}),
        ("global: {external_labels: [x]}", {}),
        ("global: {external_labels: {a: [x]}}", {}),
    ],
)
def test_external_labels_are_read_from_any_configuration(hostile: Hostile, config: str, labels: dict[str, str]) -> None:
    hostile.script = lambda handler, _: handler.document({"status": "success", "data": {"yaml": config}})
    assert source_at(hostile.url).way.external_labels == labels


def test_a_tenant_called_as_an_external_label_says_stays_a_tenant(start_prometheus: Callable[..., Server]) -> None:
    """Prometheus adds `tenant="beta"` to what has no tenant; the tenant beta, and whatever has one, keep their own."""
    server = start_prometheus(
        config="global: {external_labels: {tenant: beta, region: eu}}\n", options=["--web.enable-remote-write-receiver"]
    )
    samples = [(START_MS + 60_000 * minute, minute << 52) for minute in (1, 2, 3)]
    sets = {"told": [{"tenant": "acme"}, {"tenant": "beta"}], "mixed": [{"job": "x"}, {"job": "x", "tenant": "beta"}]}
    for metric, own in sets.items():
        remote_write(server.url, [written({"__name__": metric, **labels}, samples) for labels in own])
    remote_write(server.url, [written({"__name__": "plain", "job": "x"}, [(START_MS, 1 << 52)])])
    source = source_at(server.url)
    assert set(bits_of(source.read("told", {}, WEEK))) == {'{"tenant":"acme"}', '{"tenant":"beta"}'}
    assert set(bits_of(source.read("plain", {}, WEEK))) == {'{"job":"x"}'}
    # Remote read gives both of these as one: the range selectors tell them apart.
    mixed = bits_of(source.read("mixed", {}, WEEK))
    assert set(mixed) == {'{"job":"x"}', '{"job":"x","tenant":"beta"}'}
    assert {len(samples) for samples in mixed.values()} == {3}


def test_native_histograms_are_counted_named_and_left_out(source: Reader) -> None:
    batch = source.read("native", {}, WEEK)
    assert (batch.samples, dict(batch.left_out)) == (0, {HISTOGRAMS_LEFT_OUT: 5})


# --- answers that were cut, changed or made up; what is cut and changed came from the real server ---


@pytest.fixture(scope="module")
def answer(server: Server, large: list) -> bytes:
    """The bytes with which the real server answers for one tenant of `large`."""
    body = request("large", {"tenant": "t03"}, WEEK.start_ms, WEEK.end_ms)
    headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
    headers["X-Prometheus-Remote-Read-Version"] = "0.1.0"
    with urlopen(Request(f"{server.url}/api/v1/read", data=body, headers=headers), timeout=30) as answer:
        return answer.read()


def unframed(frames: bytes) -> list[bytes]:
    """The messages of whole frames."""
    messages, at = [], 0
    while at < len(frames):
        size = next(n for n in range(1, 6) if frames[at + n - 1] < 0x80)
        length = sum((frames[at + n] & 0x7F) << 7 * n for n in range(size))
        at += size + 4 + length
        messages.append(frames[at - length : at])
    return messages


def asked(source: Reader) -> SeriesBatch:
    return source.read("large", {"tenant": "t03"}, WEEK)


@given(st.data())
def test_a_cut_or_flipped_answer_is_never_taken_for_whole(answer: bytes, data: Any) -> None:
    ends = np.cumsum([len(frame(message)) for message in unframed(answer)]).tolist()
    changed = bytearray(answer)
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, 8 * len(answer) - 1))
        changed[place // 8] ^= 1 << place % 8
    else:
        cut = data.draw(st.integers(1, len(answer) - 1).filter(lambda cut: cut not in ends))
        del changed[cut:]  # of whole frames only the count tells
    with hostile_server() as hostile, pytest.raises(SourceAnswerError):
        asked(serving(hostile, "remote_read", bytes(changed)))


@given(st.data())
def test_made_up_messages_with_a_right_checksum_end_in_an_error_of_ours_or_in_samples(answer: bytes, data: Any) -> None:
    message = bytearray(unframed(answer)[0][:4_000])
    for _ in range(data.draw(st.integers(1, 20))):
        place = data.draw(st.integers(0, len(message) - 1))
        message[place] = data.draw(st.integers(0, 255))
    with hostile_server() as hostile:
        try:
            batch = asked(serving(hostile, "remote_read", frame(bytes(message))))
        except CloudxaiError:
            return
        assert np.all((batch.times >= WEEK.start_ms) & (batch.times < WEEK.end_ms))
        for start, end in itertools.pairwise(batch.offsets):
            assert np.all(np.diff(batch.times[start:end]) > 0)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_error_of_ours(data: bytes) -> None:
    with hostile_server() as hostile:
        source = serving(hostile, "remote_read", data)
        if not data:
            assert asked(source).samples == 0
        else:
            with pytest.raises(SourceAnswerError):
                asked(source)


LABELS = label_fields({"__name__": "large", "tenant": "t03"})
OTHER = label_fields({"__name__": "other", "tenant": "t03"})
ONE = xor_chunk(START_MS, 0.0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (frame(field(1, LABELS + chunk(1, START_MS, b"\x00\x05\x00"))), "cannot be decoded"),  # five in three bytes
        (frame(field(1, LABELS + chunk(1, START_MS, b"\xff\xff" + bytes(40)))), "cannot be decoded"),
        (frame(field(1, LABELS + chunk(1, START_MS, b"\x00"))), "no frame"),  # half a header
        (frame(field(1, ONE)), "not one of"),
        (frame(field(1, OTHER + ONE)), "not one of"),
        (frame(field(1, LABELS + ONE + LABELS)), "no frame"),  # labels apart
        (frame(field(1, LABELS + ONE)) + b"query timed out\n", "after 1 whole frames: query timed out"),
        (varint(1 << 40) + b"1234" + bytes(100), "no frame of at most 33,554,432 bytes, after 0 whole"),
        # 65,535 samples are said to be in each of 8,000 chunks of two bytes: nothing is made ready for them.
        (
            frame(field(1, LABELS + 8_000 * chunk(1, START_MS, b"\xff\xff"))),
            r"more than 100,000,000 samples\. .* raise `limits\.samples`",
        ),
    ],
)
def test_a_wrong_message_is_named(hostile: Hostile, body: bytes, said: str) -> None:
    with pytest.raises(SourceAnswerError, match=said):
        asked(serving(hostile, "remote_read", body))


def test_what_is_left_out_is_named_and_a_page_is_refused(hostile: Hostile) -> None:
    source = serving(hostile, "remote_read", frame(field(1, LABELS + xor_chunk(START_MS, 0.0, kind=9))))
    batch = asked(source)
    assert (batch.samples, dict(batch.left_out)) == (0, {"chunks of the unknown encoding 9 were left out.": 1})
    later = frame(field(1, LABELS + xor_chunk(START_MS, 2.0) + xor_chunk(START_MS, 1.0)))
    source = serving(hostile, "remote_read", frame(field(1, LABELS + xor_chunk(START_MS, 1.0))) + later)
    batch = asked(source)
    assert (batch.values.tolist(), dict(batch.left_out)) == ([1.0], {DOUBLES_LEFT_OUT: 1})
    with pytest.raises(SourceAnswerError, match="answered remote read with 'text/html' instead of frames"):
        asked(serving(hostile, "remote_read", b"<html>login</html>", content="text/html"))
