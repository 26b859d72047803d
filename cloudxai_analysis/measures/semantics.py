"""Cost gauges held against what they are declared to be, and samples that no cost can be made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.cost import MOST, Semantics, currencies
from cloudxai_analysis.measures.frames import mapped, typed

FINDINGS = ONLY_GROWS, FALLS = "only_grows", "falls_in_window"
CAUSES = {
    "negative": "was below 0",
    "infinite": "was infinite",
    "too large": "was over a trillion an hour",
    "not a number": "held no number",
    "too small": "was smaller than any amount",
    "currency": "named a currency that is no code of ISO 4217 in capitals",
    "left behind": "kept its last value after the tenant had left",
}
LEFT_OUT = ("negative", "infinite", "too large")  # of every sum: `measures.cost.is_amount`
_SMALLEST = np.finfo("float64").tiny  # of a normal number
_HOUR = pd.Timedelta(hours=1)


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

    Columns: tenant, finding, rises, falls, start, end; one row per tenant.

    * 'only_grows', of a `rate`: a stretch without a fall that has at least `least_rises` rises and samples on
      `least_days` covered days; of several the one with the most rises. It looks cumulative.
    * 'falls_in_window', of a `cumulative` gauge: it fell within its billing window (the series' `billing_window`
      label; of series without one the UTC month). `start` and `end` are the first and last fall. A fall over more than
      `gap_steps` median scrape intervals without a sample is none: the tenant had left, and its gauge began anew.

    A `window_total` may rise and fall: nothing is excluded, and nothing found.
    """
    if samples.empty or semantics not in ("rate", "cumulative"):
        return typed([], semantics_breaks)
    steps = _steps(samples)
    scrape = pd.Timedelta((steps["time"] - steps["before"]).median())
    steps["fell"] = (steps["step"] < 0) & ~_near_start(steps, starts, within=2 * scrape)
    if semantics == "rate":
        found = _only_grows(steps, covered, least_rises=least_rises, least_days=least_days)
    else:
        found = _falls_in_window(steps, longest=gap_steps * scrape)
    return typed(found, semantics_breaks).sort_values("tenant", ignore_index=True)


def _steps(samples: pd.DataFrame) -> pd.DataFrame:
    """The samples with each one's step from the sample before; NaN at a series' first."""
    frame = samples[samples["value"].notna()].reset_index(drop=True)
    follows = frame["series_id"] == frame["series_id"].shift()
    columns = ["series_id", "job", "instance", "tenant", "billing_window", "time"]
    steps = frame[[column for column in columns if column in frame]].copy()
    return steps.assign(before=frame["time"].shift().where(follows), step=frame["value"].diff().where(follows))


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
    run = np.cumsum(np.isnan(step) | steps["fell"].to_numpy())
    # Most runs of a real rate are two or three samples long: only the few candidates are looked at any further.
    rises = np.bincount(run[step > 0], minlength=int(run.max(initial=0)) + 1)
    kept = rises[run] >= least_rises
    candidates = steps.loc[kept, ["tenant", "time"]].astype({"tenant": "str"}).assign(run=run[kept])
    day = candidates["time"].dt.floor("D")
    candidates["day"] = day.where(day.isin(covered.loc[covered["covered"].astype(bool), "day"]))
    found = candidates.groupby("run").agg(
        tenant=("tenant", "first"), start=("time", "min"), end=("time", "max"), days=("day", "nunique")
    )
    found = found[found["days"] >= least_days].assign(finding=ONLY_GROWS, falls=0)
    found["rises"] = rises[found.index.to_numpy()]
    return found.sort_values("rises", ascending=False, kind="stable").drop_duplicates("tenant")


def _falls_in_window(steps: pd.DataFrame, *, longest: pd.Timedelta) -> pd.DataFrame:
    before, after = steps["before"].dt, steps["time"].dt
    anew = (before.year != after.year) | (before.month != after.month)
    if "billing_window" in steps:
        anew &= steps["billing_window"].astype("str") == ""
    falls = steps[steps["fell"] & ~anew & (steps["time"] - steps["before"] <= longest)]
    found = falls.groupby(falls["tenant"].astype("str"))["time"].agg(falls="size", start="min", end="max")
    rises = steps.loc[steps["step"] > 0, "tenant"].astype("str").value_counts()
    found["rises"] = rises.reindex(found.index, fill_value=0)
    return found.rename_axis("tenant").reset_index().assign(finding=FALLS)


def suspects(hours: pd.DataFrame, *, semantics: Semantics | None, least_hours: int = 8) -> set[str]:
    """The tenants whose samples can hold a break, by the gauge's hourly rollups, which are fewer.

    Of a `rate` those with `least_hours` hours in a row without a fall: a stretch that touches three days has more, also
    where a restart falls into its middle. Of a `cumulative` gauge those with any fall.
    """
    falls = hours["resets"] > 0
    if semantics == "cumulative":
        return set(hours.loc[falls, "tenant"].astype("str"))
    run = (falls | (hours["series_id"] != hours["series_id"].shift())).cumsum()
    return set(hours.loc[run.groupby(run).transform("size") >= least_hours, "tenant"].astype("str"))


def able_to_tell(
    hours: pd.DataFrame, covered: pd.DataFrame, *, least_changes: int = 20, least_days: int = 3
) -> set[str]:
    """The tenants whose gauge would have shown a break in these hours: seen on enough covered days, and changing."""
    days = hours["hour"].dt.floor("D")
    own = hours[(hours["samples"] > 0) & days.isin(covered.loc[covered["covered"].astype(bool), "day"])]
    by_tenant = own.assign(day=days).groupby("tenant", observed=True)
    enough = (by_tenant["changes"].sum() >= least_changes) & (by_tenant["day"].nunique() >= least_days)
    return set(enough.index[enough].astype("str"))


def growing_hours(
    hours: pd.DataFrame, *, semantics: Semantics | None, least_hours: int = 13, least_rises: int = 20
) -> NDArray[np.bool_]:
    """Which rollups of a `rate` belong to a stretch of `least_hours` that only grows, and so show no cost.

    That is a break, or may become one: `semantics_breaks` asks for three covered days. The falls of a single hour, as
    of a restart, do not end a stretch. A rhythm of day and night falls at least every 13 hours.
    """
    if semantics != "rate" or not len(hours):
        return np.zeros(len(hours), dtype=bool)
    falls, series = (hours["resets"] > 0).to_numpy(), hours["series_id"].to_numpy()
    other = np.append(True, series[1:] != series[:-1])
    run = np.cumsum(falls | other | np.append(False, falls[:-1]))
    rises = np.bincount(run, weights=hours["changes"].to_numpy())[run]
    grows = ~falls & (rises >= least_rises) & (np.bincount(run)[run] >= least_hours)
    around = np.append(False, grows[:-1]) & np.append(grows[1:], False) & ~other & ~np.append(other[1:], True)
    return grows | around


def growing_since(breaks: pd.DataFrame, hours: pd.DataFrame) -> pd.DataFrame:
    """`breaks` with each 'only_grows' that began before its samples do taken back to where it began.

    `hours` are the gauge's rollups over a longer time. Whole hours without a fall that lead up to the stretch are
    added: `start` is the first sample of the first of them, `rises` grows by theirs.
    """
    found = breaks.copy()
    for at, row in breaks[breaks["finding"] == ONLY_GROWS].iterrows():
        led = hours[(hours["tenant"] == row["tenant"]) & (hours["first_ts"] < row["start"].floor("h"))]
        falls = led.loc[led["resets"] > 0, "hour"]
        led = led[led["hour"] > falls.max()] if len(falls) else led
        if len(led):
            found.loc[at, "start"] = led["first_ts"].min()
            found.loc[at, "rises"] = row["rises"] + int(led["changes"].sum())
    return found


def cost_faults(
    cost_hours: pd.DataFrame, tenant_hours: pd.DataFrame, *, currency: str, least_hours: int = 24
) -> pd.DataFrame:
    """What is wrong with the samples of a cost gauge of rates, one row per cause and currency.

    `cost_hours` of the gauge, `tenant_hours` of a metric that every living tenant has. An hour with a value below 0
    ('negative'), infinite, or beyond any amount ('too large') is in no sum. 'not a number': one with NaN; 'too
    small': of a denormal number; 'currency': its label is none of ISO 4217's codes; 'left behind': a tenant keeps
    its last value, unchanged, for `least_hours` hours or more after its own last sample, while others are still seen.

    Columns: cause, tenants, examples, hours, start, end, amount, currency.
    """
    label = cost_hours["currency"].astype("str") if "currency" in cost_hours else pd.Series("", cost_hours.index)
    frame = cost_hours.assign(currency=currencies(cost_hours, currency).astype("str"))
    seen, largest = frame["samples"] > 0, np.maximum(frame["max"], frame["integral"] / 3600)
    infinite = seen & (np.isinf(frame["min"]) | np.isinf(frame["max"]))
    found = {
        "negative": frame[seen & (frame["min"] < 0) & ~infinite],
        "infinite": frame[infinite],
        "too large": frame[~infinite & (largest > MOST)],
        "not a number": frame[frame["nan_samples"] > 0],
        "too small": frame[seen & (frame["max"] > 0) & (frame["max"] < _SMALLEST)],
        "currency": frame[(label != "") & ~label.str.fullmatch("[A-Z]{3}")],
        "left behind": _left_behind(frame, tenant_hours, least_hours=least_hours),
    }
    rows = [_fault(cause, str(unit), own) for cause in CAUSES for unit, own in found[cause].groupby("currency")]
    return typed(rows, cost_faults)


def _left_behind(frame: pd.DataFrame, tenant_hours: pd.DataFrame, *, least_hours: int) -> pd.DataFrame:
    """The hours of gauges that rest after their tenant has gone."""
    there = tenant_hours[tenant_hours["samples"] > 0]
    last = {str(tenant): hour for tenant, hour in there.groupby("tenant", observed=True)["hour"].max().items()}
    gone = pd.to_datetime(mapped(frame["tenant"], last, pd.Timestamp(0, tz="UTC")), utc=True)
    # Beyond the last hour in which anybody was seen, nobody is known to be gone.
    after = frame[(frame["hour"] > gone) & (frame["hour"] <= there["hour"].max()) & (frame["samples"] > 0)]
    series = after.groupby("series_id")
    return after[(series["changes"].transform("sum") == 0) & (series["hour"].transform("nunique") >= least_hours)]


def _fault(cause: str, currency: str, own: pd.DataFrame) -> dict[str, object]:
    told = cause != "not a number" and (own["integral"].abs() <= MOST * 3600).all()
    return {
        "cause": cause,
        "tenants": own["tenant"].nunique(),
        "examples": tuple(sorted(map(str, own["tenant"].unique()))[:3]),
        "hours": len(own),
        "start": own["hour"].min(),
        "end": own["hour"].max() + _HOUR,
        "amount": own["integral"].sum() / 3600 if told else float("nan"),
        "currency": currency,
    }
