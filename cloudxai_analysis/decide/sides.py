"""The two sides of a release as samples of all metrics, read within bounds, thinned to some points each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from math import ceil

import numpy as np
import pandas as pd

from cloudxai_analysis.decide.levels import BLOCKS
from cloudxai_analysis.ground.errors import NoData, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.platform.settings import Environment
from cloudxai_analysis.sources.catalogue import metric_metadata, words_in
from cloudxai_analysis.sources.open import source_of
from cloudxai_analysis.sources.promql import Steps, promql_range, quoted, selector
from cloudxai_analysis.sources.series import SeriesBatch, canonical_labels
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.words.phrases import moment, short

POINTS = 24 * BLOCKS  # of a series: hours of a week
MOST_SERIES = 500  # of a metric, the first by their labels; more tell nothing new
_MOST_SAMPLES = 40_000_000  # of both sides: about 6 GB of work
_BUILDS, _BUILD_LABELS = re.compile(".*build_info|target_info"), ("version", "revision", "build", "commit")
_STALE = timedelta(minutes=5)  # for so long a server still shows a series that has ended
# What a server adds to each scrape: of no build, whatever it scrapes.
_SERVERS_OWN = re.compile("up|ALERTS.*|scrape_(duration_seconds|samples_.*|series_added|timeout_seconds|.*_limit)")


def read_samples(settled: Environment, window: Window, jobs: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """The samples of all metrics of the jobs in a window, as `drift` takes them, and what was left out of them.

    Raises NoData where the jobs have none, UsageError where they have too many, and whatever the source raises.
    """
    source = source_of(settled)
    step = max(1, ceil(window.duration.total_seconds() / (2 * POINTS))) * 1000
    matchers, contract = dict(settled.settings.matchers), settled.contract
    own = [{**matchers, "job": job} for job in jobs]
    if isinstance(source, ServerSource):
        chosen = ["{" + ",".join(f"{name}={quoted(value)}" for name, value in one.items()) + "}" for one in own]
        names, told = words_in(source, "label/__name__/values", chosen, window), metric_metadata(source)
    else:
        names = [name for name in contract.series_names() if contract.scope_of(name) == "target"]
        told = {metric.name: {"type": metric.kind, "help": metric.help} for metric in contract.metrics.values()}

    def read(metric: str) -> SeriesBatch:
        if not isinstance(source, ServerSource):
            return source.read(metric, matchers, window)
        return promql_range(source, " or ".join(selector(metric, one) for one in own), Steps.within(window, step))

    names = [name for name in names if not _SERVERS_OWN.fullmatch(name)]
    frames, left_out, samples = [], [], 0
    with ThreadPoolExecutor(settled.limits.concurrency) as pool:
        for number, (metric, batch) in enumerate(zip(names, pool.map(read, names), strict=True), start=1):
            if len(batch) > MOST_SERIES:
                left_out.append(f"{metric}: {len(batch) - MOST_SERIES:,} of {len(batch):,} series are not looked at")
            frames.append(_frame(metric, batch, step, told))
            samples += len(frames[-1])
            if samples > _MOST_SAMPLES:
                most = f"more than {_MOST_SAMPLES:,} points in {window}, of {number:,} of {len(names):,} metrics"
                raise UsageError(f"Source {source.name} has {most}. Ask for one job at a time with --job.")
    if not samples:
        of_jobs = f" of {', '.join(map(repr, jobs))}" if isinstance(source, ServerSource) else ""
        raise NoData(f"Source {source.name} has no sample{of_jobs} in {window}. Choose another week or --job.")
    return pd.concat(frames, ignore_index=True), left_out


def _frame(metric: str, batch: SeriesBatch, step: int, told: Mapping[str, Mapping[str, str]]) -> pd.DataFrame:
    """A batch's samples, of each series and step the last one."""
    texts = [canonical_labels({name: text for name, text in one.items() if name != "__name__"}) for one in batch.labels]
    series = np.repeat(np.arange(len(texts)), np.diff(batch.offsets))
    last = np.append((np.diff(batch.times // step) != 0) | (np.diff(series) != 0), True)[: len(series)]
    rows = np.flatnonzero(last & np.isin(series, np.argsort(texts)[:MOST_SERIES]))
    times = pd.to_datetime(batch.times[rows], unit="ms", utc=True)
    frame = pd.DataFrame({"metric": metric, "labels": np.array(texts, dtype=object)[series[rows]], "time": times})
    bases = (metric, *(metric.removesuffix(part) for part in ("_bucket", "_count", "_sum")))
    known = next((told[base] for base in bases if base in told), {})
    return frame.assign(value=batch.values[rows], **{name: known.get(name, "") for name in ("type", "unit", "help")})


def split(samples: pd.DataFrame, times: Sequence[datetime]) -> list[pd.DataFrame]:
    """The samples since when the old build was there until it ended, and as long since the new one began.

    What a server still shows of the old build is in neither.
    """
    since, ended, began = times
    time = samples["time"]
    width = max(min(ended - max(since, time.min()), time.max() - began), timedelta(0))
    within = ((ended - width, ended), (began + min(_STALE, width / BLOCKS), began + width + _STALE))
    return [samples[(time >= start) & (time < end)] for start, end in within]


def released(samples: pd.DataFrame) -> tuple[str, list[datetime]] | None:
    """The last change of a build label in words, since when the old build was there, when it ended, the new one began.

    None where no label tells of one. The time when both were there at once is of neither.
    """
    builds = samples[samples["metric"].str.fullmatch(_BUILDS)]
    labels = pd.json_normalize(builds["labels"].map(json.loads).tolist()).set_index(builds.index)
    for label in _BUILD_LABELS:
        if label in labels and labels[label].nunique() > 1:
            seen = builds["time"].groupby(labels[label]).agg(["min", "max"]).sort_values(["min", "max"])
            (since, ended), (began, _) = seen.iloc[-2:].to_numpy()
            told = f"The build changed from {short(seen.index[-2])} to {short(seen.index[-1])} at {moment(began)}"
            return f"{told}, as the label '{label}' says.", [since, min(ended, began), max(ended, began)]
    return None
