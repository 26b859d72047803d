"""PromQL for notebooks and tests, evaluated by the server and never by code of ours."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Protocol

import pandas as pd

from cloudxai_analysis.ground.errors import SourceAnswerError, UsageError
from cloudxai_analysis.sources.answers import one_line
from cloudxai_analysis.sources.http_api import WHOLE_ANSWERS, asking
from cloudxai_analysis.sources.session import ObservingSession


class Asked(Protocol):
    """A source on a server that evaluates PromQL, however its samples are read."""

    session: ObservingSession

    @property
    def name(self) -> str:
        """The server's base URL."""


def promql(source: Asked, expression: str, time: datetime) -> pd.DataFrame:
    """The values of a PromQL expression at one moment: a column for each label, "" where absent, and `value` (float64).

    A scalar is one row without labels. prometheus-api-client asks, over the source's own session: its own adapter is
    never used there, so deadlines, caps and the refusal of partial answers hold.

    Raises
    ------
    UsageError
        The moment has no time zone, the expression gives ranges or histograms, or a label is called `value`.
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, or answered wrongly, in part, or that the expression is none.
    """
    from prometheus_api_client import PrometheusConnect

    if time.tzinfo is None:
        raise UsageError(f"Moment {time.isoformat()} has no time zone. Give times with tzinfo=UTC.")
    client = PrometheusConnect(url=source.name, session=source.session)
    asked = f"Asked for {one_line(expression)} at {time.isoformat()}"
    asked_for = {"time": time.isoformat(), "timeout": source.session.patience, **WHOLE_ANSWERS}
    with asking(asked):
        result = client.custom_query(expression, params=asked_for)
    return _frame(result, asked, source.name)


def _frame(result: list[Any], asked: str, name: str) -> pd.DataFrame:
    if len(result) == 2 and isinstance(result[1], str):
        result = [{"metric": {}, "value": result}]
    try:
        labels = [item["metric"] for item in result]
        if any("value" not in item or "value" in item["metric"] for item in result):
            raise UsageError(
                f"{asked}: it gives ranges, histograms or a label called 'value'. Use an expression with one number "
                "a series, and label_replace for the label; raw samples come from the source's `read`."
            )
        values = [float(item["value"][1]) for item in result]
    except (KeyError, IndexError, TypeError, ValueError):
        raise SourceAnswerError(f"{asked}: source {name} answered with values that are no numbers.") from None
    frame = pd.DataFrame(labels, index=range(len(values))).fillna("")
    return frame.reindex(columns=sorted(frame.columns)).assign(value=pd.Series(values, dtype="float64"))
