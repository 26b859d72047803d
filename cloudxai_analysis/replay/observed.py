"""What the server itself fired: the samples of ALERTS of one rule as a frame, and the episodes that they make."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import pandas as pd

from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.measures.alerts import episodes
from cloudxai_analysis.sources.series import STALENESS_MARKER_BITS, Labels, SeriesBatch, canonical_labels

Named = Callable[[Labels], dict[str, str]]
_LABELS = ("alertname", "alertstate", "severity", "tenant", "job", "instance")


def alert_samples(
    batch: SeriesBatch,
    alertname: str,
    labels: Mapping[str, str],
    *,
    replica_labels: Collection[str] = (),
    named: Named = dict,
) -> pd.DataFrame:
    """Samples of ALERTS of one rule, as the measures take them.

    `labels` are the rule's own, by which it is told from others of its name; what is a template, or what no alert of
    the name carries, tells nothing. `named` gives a label set under the contract's names.

    Columns: series_id (its place in the batch), alert (a number for each alert, whatever its state and replica), time,
    value (NaN of a staleness marker), alertname, alertstate, severity, tenant, job, instance ('' where absent).
    """
    carried = {name for of in batch.labels if of.get("alertname") == alertname for name in of}
    telling = {name: value for name, value in labels.items() if name in carried and "{{" not in value}
    wanted = {"alertname": alertname, **telling}
    own = np.array(
        [all(of.get(name, "") == value for name, value in wanted.items()) for of in batch.labels], dtype=bool
    )
    lengths = np.diff(batch.offsets)
    kept = np.repeat(own, lengths) if len(lengths) else np.empty(0, dtype=bool)
    series = np.repeat(np.arange(len(batch)), lengths)[kept]
    values = batch.values[kept]
    marker = values.view(np.int64) == STALENESS_MARKER_BITS
    left_out = {"alertstate", *replica_labels}
    keys = [canonical_labels({name: of[name] for name in of if name not in left_out}) for of in batch.labels]
    alert = pd.factorize(pd.Series(keys, dtype="str"), sort=True)[0]
    frame = pd.DataFrame(
        {
            "series_id": series,
            "alert": alert[series] if len(batch) else series,
            "time": pd.DatetimeIndex(batch.times[kept].astype("datetime64[ms]"), tz="UTC").as_unit("us"),
            "value": np.where(marker, np.nan, values),
        }
    )
    shown = [named(of) for of in batch.labels]
    for name in _LABELS:
        texts = np.array([of.get(name, "") for of in shown], dtype=object)
        frame[name] = pd.Series(texts[series] if len(batch) else [], dtype="str")
    return frame


def fired(
    batch: SeriesBatch,
    alertname: str,
    labels: Mapping[str, str],
    *,
    interval_seconds: float,
    window: Window,
    replica_labels: Collection[str] = (),
    named: Named = dict,
) -> pd.DataFrame:
    """The episodes of one rule that the server fired, as `measures.alerts.episodes` gives them."""
    samples = alert_samples(batch, alertname, labels, replica_labels=replica_labels, named=named)
    return episodes(samples, interval_seconds=interval_seconds, window=window)
