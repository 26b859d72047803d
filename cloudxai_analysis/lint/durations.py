"""Durations as Prometheus writes them: 1h30m, 5d, 0."""

from __future__ import annotations

import re

_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?\Z")
_SECONDS = (365 * 86400.0, 7 * 86400.0, 86400.0, 3600.0, 60.0, 1.0, 0.001)


def duration_seconds(text: str) -> float | None:
    """The seconds of a duration like '1h30m'; None of a text that Prometheus takes for none."""
    if text == "0":
        return 0.0
    parts = _DURATION.match(text) if text and len(text) <= 100 else None
    if parts is None:
        return None
    return sum(int(count) * seconds for count, seconds in zip(parts.groups(), _SECONDS, strict=True) if count)


def duration_text(seconds: float) -> str:
    """Seconds as people write them in a rule: 90 is '1m30s'."""
    if seconds <= 0 or seconds != round(seconds):
        return f"{seconds:g}s"
    left, said = int(seconds), ""
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        said += f"{count}{unit}" if count else ""
    return said
