"""Impact by a query of the user's own, asked of the server: one more source of proposed incidents."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.measures.proposals import impact_stretches
from cloudxai_analysis.study.study import Study


def impact(study: Study, expression: str, *, step: timedelta = timedelta(minutes=1)) -> pd.DataFrame | None:
    """Stretches of the 28 days in which a PromQL expression gave something else than 0; None of an empty one.

    Columns: tenant (its label, '' for all), start, end. The server evaluates the expression.

    Raises
    ------
    UsageError
        The study's source evaluates no PromQL.
    SourceUnreachable, SourceAnswerError, RefusedForSecurity
        The server did not answer, answered wrongly, or that the expression is none.
    """
    if not expression:
        return None
    from cloudxai_analysis.sources.open import open_source
    from cloudxai_analysis.sources.promql import Steps, promql_range
    from cloudxai_analysis.sources.server import ServerSource

    environment = study.environment
    source = open_source(environment.source, limits=environment.limits, settings=environment.settings)
    if not isinstance(source, ServerSource):
        raise UsageError(
            "An expression of impact needs a server that evaluates it, and the demo has none. Leave it empty."
        )
    seconds = step.total_seconds()
    batch = promql_range(source, expression, Steps.within(study.alerts.alert_window, round(seconds * 1000)))
    sizes = np.diff(batch.offsets)
    samples = pd.DataFrame(
        {
            "tenant": np.repeat([study.contract.named(labels).get("tenant", "") for labels in batch.labels], sizes),
            "time": pd.to_datetime(batch.times, unit="ms", utc=True).as_unit("us"),
            "value": batch.values,
        }
    )
    return impact_stretches(samples, step_seconds=seconds)
