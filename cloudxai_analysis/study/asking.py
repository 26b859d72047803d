"""Questions of one's own to a study's source: any PromQL expression, and the samples of any metric that it has."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.sources.series import SeriesBatch

if TYPE_CHECKING:
    from cloudxai_analysis.study.study import Study


def evaluated(study: Study, expression: str, window: Window, step: timedelta) -> pd.DataFrame:
    """What the source's server gives for an expression at each step of a window, as `batch_frame` has it.

    Raises
    ------
    UsageError
        The source evaluates no PromQL.
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, answered wrongly, in part, or that the expression is none.
    """
    from cloudxai_analysis.sources.promql import Steps, promql_range
    from cloudxai_analysis.sources.server import ServerSource

    source = _source(study)
    if not isinstance(source, ServerSource):
        raise UsageError(
            f"PromQL needs a server that evaluates it, and source {source.name} has none. Use study.samples or "
            "study.sql."
        )
    return batch_frame(promql_range(source, expression, Steps.within(window, round(step.total_seconds() * 1000))))


def read(study: Study, metric: str, window: Window) -> pd.DataFrame:
    """The samples of any metric that the source has, asked for now and kept nowhere, as `batch_frame` has them.

    Raises
    ------
    UsageError
        The source has no sample of the metric in the window.
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, or answered wrongly.
    """
    source = _source(study)
    found = batch_frame(source.read(metric, study.environment.settings.matchers, window))
    if found.empty:
        raise UsageError(
            f"Asked for the samples of {metric} over {window}: source {source.name} has none, and no role of the "
            f"contract is called so. Its roles are {', '.join(study.contract.metrics)}."
        )
    return found


def batch_frame(batch: SeriesBatch) -> pd.DataFrame:
    """Samples of series as a frame: series_id, time (UTC), value, and each label as a categorical column."""
    series = np.repeat(np.arange(len(batch.labels)), np.diff(batch.offsets))
    found = pd.DataFrame(
        {
            "series_id": series,
            "time": pd.to_datetime(batch.times, unit="ms", utc=True).as_unit("us"),
            "value": batch.values,
        }
    )
    for name in sorted({name for labels in batch.labels for name in labels} - set(found)):
        label = pd.Categorical([labels.get(name, "") for labels in batch.labels])
        found[name] = label.take(series)
    return found


def _source(study: Study) -> Any:
    from cloudxai_analysis.sources.open import open_source

    environment = study.environment
    return open_source(environment.source, limits=environment.limits, settings=environment.settings)
