"""Cost gauges held against their declaration, and samples that no cost can be made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cloudxai_analysis.measures.cost import MOST, Semantics, currencies
from cloudxai_analysis.measures.frames import as_text, mapped, sure, typed

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
_RISES, _DAYS = 20, 3  # from which on a rate without a fall looks cumulative
_GAP = 2.5  # median scrape intervals without a sample, after which a gauge began anew
_LEFT_HOURS = 24
_SMALLEST = np.finfo("float64").tiny  # of a normal number
_HOUR = pd.Timedelta(hours=1)


def semantics_breaks(
    samples: pd.DataFrame, starts: pd.DataFrame, covered: pd.DataFrame, *, semantics: Semantics | None
) -> pd.DataFrame:
    """Tenants whose cost gauge behaves unlike its declared semantics, as docs/definitions.md says.

    A fall over a gap is none: the tenant had left. The billing window is the label; without one the
    UTC month.

    Columns: tenant, finding, rises, falls, start, end; one row per tenant.
    """
    if samples.empty or semantics not in ("rate", "cumulative"):
        return typed([], semantics_breaks)
    steps = samples[samples["value"].notna()].sort_values(["series_id", "time"], ignore_index=True)
    follows = steps["series_id"] == steps["series_id"].shift()
    steps = steps.assign(before=steps["time"].shift().where(follows), step=steps["value"].diff().where(follows))
    scrape = pd.Timedelta((steps["time"] - steps["before"]).median())
    falls = steps[steps["step"] < 0]
    if len(falls):
        falls = falls[~_near_start(falls, starts, within=2 * scrape)]
    found = _only_grows(steps, falls, covered) if semantics == "rate" else _falls_in_window(steps, falls, _GAP * scrape)
    return typed(found, semantics_breaks, by="tenant")


def _near_start(falls: pd.DataFrame, starts: pd.DataFrame, *, within: pd.Timedelta) -> NDArray[np.bool_]:
    """Whether a process start lies between the falling sample and the one before, or near them."""
    near = np.zeros(len(falls), dtype=bool)
    since, until = falls["before"] - within, falls["time"] + within
    for row in starts.itertuples():
        own = (falls["job"] == row.job) & (falls["instance"] == row.instance)
        near |= (own & (since < row.started_at) & (until >= row.started_at)).to_numpy()
    return near


def _only_grows(steps: pd.DataFrame, falls: pd.DataFrame, covered: pd.DataFrame) -> pd.DataFrame:
    run = (steps["step"].isna() | steps.index.isin(falls.index)).cumsum()
    # Most runs of a real rate are two or three samples long: few are looked at any further.
    rises = run[steps["step"] > 0].value_counts()
    rises = rises[rises >= _RISES]
    own = steps.assign(run=run, day=steps["time"].dt.floor("D"))[run.isin(rises.index)]
    own["day"] = own["day"].where(own["day"].isin(sure(covered)))
    found = own.groupby("run").agg(
        tenant=("tenant", "first"), start=("time", "min"), end=("time", "max"), days=("day", "nunique")
    )
    found = found[found["days"] >= _DAYS]
    found = found.assign(finding=ONLY_GROWS, rises=rises.reindex(found.index), falls=0)
    return found.sort_values("rises", ascending=False, kind="stable").drop_duplicates("tenant")


def _falls_in_window(steps: pd.DataFrame, falls: pd.DataFrame, longest: pd.Timedelta) -> pd.DataFrame:
    anew = falls["before"].dt.strftime("%Y-%m") != falls["time"].dt.strftime("%Y-%m")
    if "billing_window" in falls:
        anew &= falls["billing_window"].astype("str") == ""
    falls = falls[~anew & (falls["time"] - falls["before"] <= longest)]
    found = falls.groupby(as_text(falls["tenant"]))["time"].agg(falls="size", start="min", end="max")
    rises = steps[steps["step"] > 0].groupby(as_text(steps["tenant"])).size()
    found = found.assign(finding=FALLS, rises=rises.reindex(found.index, fill_value=0))
    return found.reset_index(names="tenant")


def suspects(hours: pd.DataFrame, *, semantics: Semantics | None) -> set[str]:
    """The tenants whose samples can hold a break, by the gauge's rollups, which are fewer."""
    odd = hours["resets"] > 0 if semantics == "cumulative" else growing_hours(hours, least_hours=8, least_rises=0)
    return set(hours.loc[odd, "tenant"].astype("str"))


def able_to_tell(hours: pd.DataFrame, covered: pd.DataFrame) -> set[str]:
    """The tenants whose gauge would have shown a break: seen on enough days, and changing."""
    days = hours["hour"].dt.floor("D")
    own = hours[(hours["samples"] > 0) & days.isin(sure(covered))]
    by_tenant = own.assign(day=days).groupby("tenant", observed=True)
    enough = (by_tenant["changes"].sum() >= _RISES) & (by_tenant["day"].nunique() >= _DAYS)
    return set(enough.index[enough].astype("str"))


def growing_hours(hours: pd.DataFrame, *, least_hours: int = 13, least_rises: int = _RISES) -> NDArray[np.bool_]:
    """Which rollups of a rate belong to a stretch that only grows, and so show no cost.

    The falls of a single hour, as of a restart, do not end a stretch. A rhythm of day and night
    falls at least every 13 hours.
    """
    if not len(hours):
        return np.zeros(0, dtype=bool)
    falls, series = (hours["resets"] > 0).to_numpy(), hours["series_id"].to_numpy()
    other = np.append(True, series[1:] != series[:-1])
    run = np.cumsum(falls | other | np.append(False, falls[:-1]))
    rises = np.bincount(run, weights=hours["changes"].to_numpy())[run]
    grows = ~falls & (rises >= least_rises) & (np.bincount(run)[run] >= least_hours)
    around = np.append(False, grows[:-1]) & np.append(grows[1:], False) & ~other & ~np.append(other[1:], True)
    return grows | around


def growing_since(breaks: pd.DataFrame, hours: pd.DataFrame) -> pd.DataFrame:
    """`breaks` with each 'only_grows' taken back to where it began, by hours without a fall."""
    found = breaks.copy()
    for at, row in breaks[breaks["finding"] == ONLY_GROWS].iterrows():
        led = hours[(hours["tenant"] == row["tenant"]) & (hours["first_ts"] < row["start"].floor("h"))]
        fallen = led.loc[led["resets"] > 0, "hour"].max()
        led = led[led["hour"] > fallen] if pd.notna(fallen) else led
        if len(led):
            found.loc[at, ["start", "rises"]] = led["first_ts"].min(), row["rises"] + int(led["changes"].sum())
    return found


def cost_faults(cost_hours: pd.DataFrame, tenant_hours: pd.DataFrame, *, currency: str) -> pd.DataFrame:
    """What is wrong with the samples of a cost gauge of rates, one row per cause and currency.

    `tenant_hours` are of a metric that every living tenant has.

    Columns: cause, tenants, examples, hours, start, end, amount, currency.
    """
    label = cost_hours["currency"].astype("str") if "currency" in cost_hours else pd.Series("", cost_hours.index)
    frame = cost_hours.assign(currency=currencies(cost_hours, currency).astype("str"))
    seen, largest = frame["samples"] > 0, np.maximum(frame["max"], frame["integral"] / 3600)
    infinite = seen & (np.isinf(frame["min"]) | np.isinf(frame["max"]))
    found = {
        "negative": seen & (frame["min"] < 0) & ~infinite,
        "infinite": infinite,
        "too large": ~infinite & (largest > MOST),
        "not a number": frame["nan_samples"] > 0,
        "too small": seen & (frame["max"] > 0) & (frame["max"] < _SMALLEST),
        "currency": (label != "") & ~label.str.fullmatch("[A-Z]{3}"),
        "left behind": _left_behind(frame, tenant_hours),
    }
    rows = []
    for cause in CAUSES:
        for unit, own in frame[found[cause]].groupby("currency"):
            told = cause != "not a number" and (own["integral"].abs() <= MOST * 3600).all()
            row = {"cause": cause, "currency": unit, "tenants": own["tenant"].nunique(), "hours": len(own)}
            row |= {"examples": tuple(sorted(map(str, own["tenant"].unique()))[:3])}
            row |= {"start": own["hour"].min(), "end": own["hour"].max() + _HOUR}
            rows.append(row | {"amount": own["integral"].sum() / 3600 if told else np.nan})
    return typed(rows, cost_faults)


def _left_behind(frame: pd.DataFrame, tenant_hours: pd.DataFrame) -> pd.Series:
    """The hours of gauges that rest after their tenant has gone."""
    there = tenant_hours[tenant_hours["samples"] > 0]
    last = {str(tenant): hour for tenant, hour in there.groupby("tenant", observed=True)["hour"].max().items()}
    gone = pd.to_datetime(mapped(frame["tenant"], last, pd.Timestamp(0, tz="UTC")), utc=True)
    # Beyond the last hour in which anybody was seen, nobody is known to be gone.
    after = (frame["hour"] > gone) & (frame["hour"] <= there["hour"].max()) & (frame["samples"] > 0)
    series = frame[after].groupby("series_id")
    rests = (series["changes"].transform("sum") == 0) & (series["hour"].transform("nunique") >= _LEFT_HOURS)
    return rests.reindex(frame.index, fill_value=False)
