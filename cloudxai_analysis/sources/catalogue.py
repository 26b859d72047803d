"""What a server tells of itself and of its series, without a sample: build, names, labels, types.

Each raises SourceUnreachable, SourceAnswerError or RefusedForSecurity where the server does not answer, or wrongly.
Source: Prometheus docs, HTTP API, 'Getting label names', 'Querying label values', 'Querying metric metadata'.
"""

from __future__ import annotations

from typing import Any

from cloudxai_analysis.ground.errors import SourceAnswerError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.promql import WHOLE_ANSWERS, Asked, seconds_text


def metric_names(source: Asked) -> list[str]:
    """The names of all metrics that the server has samples of."""
    return source.session.ask("Asked for the names of its metrics", "label/__name__/values", read=_words)


def metric_types(source: Asked) -> dict[str, str]:
    """The type of each metric that a target of the server tells it, as 'counter'; of what it tells twice, nothing."""

    def read(data: Any) -> dict[str, set[str]]:
        return {name: {one["type"] for one in told} for name, told in data.items()}

    types = source.session.ask("Asked for the types of its metrics", "metadata", read=read)
    return {name: kinds.pop() for name, kinds in types.items() if len(kinds) == 1}


def words_in(source: Asked, endpoint: str, selectors: list[str], window: Window) -> list[str]:
    """What 'labels' or 'label/NAME/values' gives for series in a window, sorted."""
    edges = {"start": seconds_text(window.start_ms), "end": seconds_text(window.end_ms - 1)}
    fields = {"match[]": selectors, **edges, **WHOLE_ANSWERS}
    return sorted(source.session.ask(f"Asked for {endpoint} in {window}", endpoint, fields, read=_words))


def status(source: Asked, about: str) -> dict[str, str]:
    """What a server says of its 'buildinfo' or 'runtimeinfo', fit to show; nothing where it does not say."""

    def read(data: Any) -> dict[str, str]:
        return {str(name): one_line(value) for name, value in data.items()}

    try:
        return source.session.ask(f"Asked for its {about}", f"status/{about}", read=read)
    except SourceAnswerError:
        return {}


def _words(data: Any) -> list[str]:
    if data is not None and not (isinstance(data, list) and all(isinstance(word, str) for word in data)):
        raise ValueError
    return data or []
