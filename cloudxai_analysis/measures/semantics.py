"""Cost gauges held against their declared semantics: what the samples show that the declaration excludes."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.cost import Semantics
from cloudxai_analysis.measures.frames import typed

FINDINGS = ONLY_GROWS, FALLS = "only_grows", "falls_in_window"


def semantics_breaks(
    samples: pd.DataFrame,
    starts: pd.DataFrame,
    covered: pd.DataFrame,
    *,
    semantics: Semantics | None,
    least_rises: int = 20,
    least_days: int = 3,
    gap_steps: float = 2.5,
) -> pd.DataFrame:
    """Tenants whose cost gauge behaves unlike its declared semantics.

    `samples` of the gauge, sorted by series and time; `starts` the process starts; `covered` the covered days. A fall
    within two scrapes of a start of its process is a restart and counts for nothing.

    Columns: tenant, finding, rises, falls (numbers of steps), start, end; one row per tenant.

    * 'only_grows', of a `rate`: a stretch without a fall that has at least `least_rises` rises and samples on
      `least_days` covered days; of several the one with the most rises. It looks cumulative.
    * 'falls_in_window', of a `cumulative` gauge: it fell within its billing window (the series' `billing_window`
      label; of series without one the UTC month). `start` and `end` are the first and last fall. A fall over more than
      `gap_steps` median scrape intervals without a sample is none: the tenant had left, and its gauge began anew.

    A `window_total` may rise and fall: nothing is excluded, and nothing found.
    """
    empty = typed([], semantics_breaks)
    if samples.empty or semantics not in ("rate", "cumulative"):
        return empty
    steps = _steps(samples)
    scrape = pd.Timedelta((steps["time"] - steps["before"]).median())
    steps["restart"] = _near_start(steps, starts, within=2 * scrape)
    if semantics == "rate":
        found = _only_grows(steps, covered, least_rises=least_rises, least_days=least_days)
    else:
        found = _falls_in_window(steps, longest=gap_steps * scrape)
    return typed(found, semantics_breaks).sort_values("tenant", ignore_index=True)


def suspects(hours: pd.DataFrame, *, semantics: Semantics | None, least_hours: int = 8) -> set[str]:
    """The tenants whose samples can hold a break, by the gauge's hourly rollups, which are fewer.

    Of a `rate` those with `least_hours` hours in a row without a fall: a stretch that touches three days has more, also
    where a restart falls into its middle. Of a `cumulative` gauge those with any fall.
    """
    falls = hours["resets"] > 0
    if semantics == "cumulative":
        return set(hours.loc[falls, "tenant"].astype("str"))
    run = (falls | (hours["series_id"] != hours["series_id"].shift())).cumsum()
    long = run.groupby(run).transform("size") >= least_hours
    return set(hours.loc[long, "tenant"].astype("str"))


def able_to_tell(
    hours: pd.DataFrame, covered: pd.DataFrame, *, least_changes: int = 20, least_days: int = 3
) -> set[str]:
    """The tenants whose gauge would have shown a break in these hours: seen on enough covered days, and changing."""
    days = hours["hour"].dt.floor("D")
    own = hours[(hours["samples"] > 0) & days.isin(covered.loc[covered["covered"].astype(bool), "day"])]
    grouped = (
        own.assign(day=days).groupby("tenant", observed=True).agg(changes=("changes", "sum"), days=("day", "nunique"))
    )
    enough = (grouped["changes"] >= least_changes) & (grouped["days"] >= least_days)
    return set(grouped.index[enough].astype("str"))


def growing_hours(
    hours: pd.DataFrame, *, semantics: Semantics | None, least_hours: int = 13, least_rises: int = 20
) -> NDArray[np.bool_]:
    """Which rollups of a `rate` belong to a stretch of `least_hours` that only grows, and so show no cost.

    That is a break, or may become one: `semantics_breaks` asks for three covered days. The falls of a single hour, as
    of a restart, do not end a stretch. A rhythm of day and night falls at least every 13 hours.
    """
    falls = (hours["resets"] > 0).to_numpy()
    series = hours["series_id"].to_numpy()
    if semantics != "rate" or not len(hours):
        return np.zeros(len(hours), dtype=bool)
    other = np.append(True, series[1:] != series[:-1])
    run = np.cumsum(falls | other | np.append(False, falls[:-1]))
    rises = np.bincount(run, weights=hours["changes"].to_numpy())[run]
    grows = ~falls & (rises >= least_rises) & (np.bincount(run)[run] >= least_hours)
    around = np.append(False, grows[:-1]) & np.append(grows[1:], False) & ~other & ~np.append(other[1:], True)
    return grows | around


def growing_since(breaks: pd.DataFrame, hours: pd.DataFrame) -> pd.DataFrame:
    """`breaks` with each 'only_grows' that began before its samples do taken back to where it began.

    `hours` are the gauge's hourly rollups over a longer time. Whole hours without a fall that lead up to the stretch
    are added: `start` is the first sample of the first of them, `rises` grows by theirs. The samples tell exactly who
    breaks the declaration; the rollups, which are fewer, tell since when.
    """
    found = breaks.copy()
    for at, row in breaks[breaks["finding"] == ONLY_GROWS].iterrows():
        own = hours[(hours["tenant"] == row["tenant"]) & (hours["first_ts"] < row["start"].floor("h"))]
        falls = own[own["resets"] > 0]
        led = own[own["hour"] > falls["hour"].max()] if len(falls) else own
        if len(led):
            found.loc[at, "start"] = led["first_ts"].min()
            found.loc[at, "rises"] = row["rises"] + int(led["changes"].sum())
    return found


def _steps(samples: pd.DataFrame) -> pd.DataFrame:
    """The samples with each one's step from the sample before; NaN at a series' first."""
    frame = samples[samples["value"].notna()].reset_index(drop=True)
    first = (frame["series_id"] != frame["series_id"].shift()).to_numpy()
    columns = ["series_id", "job", "instance", "tenant", "billing_window", "time"]
    steps = frame[[column for column in columns if column in frame]].copy()
    steps["before"] = frame["time"].shift().where(~first)
    steps["step"] = np.where(first, np.nan, frame["value"].diff())
    return steps


def _near_start(steps: pd.DataFrame, starts: pd.DataFrame, *, within: pd.Timedelta) -> NDArray[np.bool_]:
    """Whether a step is a fall with a start of its process between its samples, or `within` that of them."""
    near = np.zeros(len(steps), dtype=bool)
    falls = np.flatnonzero((steps["step"] < 0).to_numpy())
    fallen = steps.iloc[falls]
    # Milliseconds since the epoch: an order that searchsorted knows, whatever the frames' own units are.
    opened, closed = _milliseconds(fallen["before"] - within), _milliseconds(fallen["time"] + within)
    for (job, instance), group in starts.groupby([starts["job"].astype("str"), starts["instance"].astype("str")]):
        began = np.sort(_milliseconds(group["started_at"]))
        between = np.searchsorted(began, closed, side="right") > np.searchsorted(began, opened, side="right")
        near[falls] |= between & ((fallen["job"] == job) & (fallen["instance"] == instance)).to_numpy(dtype=bool)
    return near


def _milliseconds(times: pd.Series) -> NDArray[np.int64]:
    return np.asarray(times.dt.as_unit("ms").astype("int64"))


def _only_grows(steps: pd.DataFrame, covered: pd.DataFrame, *, least_rises: int, least_days: int) -> pd.DataFrame:
    step = steps["step"].to_numpy()
    run = np.cumsum(np.isnan(step) | ((step < 0) & ~steps["restart"].to_numpy()))
    # Most runs of a real rate are two or three samples long: only the few candidates are looked at any further.
    rises = np.bincount(run[step > 0], minlength=int(run.max(initial=0)) + 1)
    kept = rises[run] >= least_rises
    candidates = steps.loc[kept, ["tenant", "time"]].astype({"tenant": "str"}).assign(run=run[kept])
    on_covered = candidates["time"].dt.floor("D").isin(covered.loc[covered["covered"].astype(bool), "day"])
    days = candidates["time"].dt.floor("D").where(on_covered).groupby(candidates["run"]).nunique()
    grouped = candidates.groupby("run").agg(tenant=("tenant", "first"), start=("time", "min"), end=("time", "max"))
    stretches = grouped[days >= least_days].assign(finding=ONLY_GROWS, falls=0)
    stretches["rises"] = rises[stretches.index.to_numpy()]
    return stretches.sort_values("rises", ascending=False, kind="stable").drop_duplicates("tenant")


def _falls_in_window(steps: pd.DataFrame, *, longest: pd.Timedelta) -> pd.DataFrame:
    falls = steps[(steps["step"] < 0) & ~steps["restart"] & (steps["time"] - steps["before"] <= longest)]
    falls = falls[~_new_window(falls)]
    found = falls.groupby(falls["tenant"].astype("str")).agg(
        falls=("time", "size"), start=("time", "min"), end=("time", "max")
    )
    rises = steps[(steps["step"] > 0) & steps["tenant"].isin(list(found.index))]
    found["rises"] = rises.groupby(rises["tenant"].astype("str")).size()
    return found.fillna({"rises": 0}).rename_axis("tenant").reset_index().assign(finding=FALLS)


def _new_window(steps: pd.DataFrame) -> pd.Series:
    """Whether a step leads into a new UTC month, in series without a `billing_window` label."""
    before, after = steps["before"].dt, steps["time"].dt
    month = (before.year != after.year) | (before.month != after.month)
    if "billing_window" not in steps:
        return month
    return month & (steps["billing_window"].astype("str") == "")
