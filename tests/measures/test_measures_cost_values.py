"""Whatever a cost gauge holds, costs are made of it, and said."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_study import Planted

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import cost
from cloudxai_analysis.measures.anomalies import anomaly_basis, cost_anomalies
from cloudxai_analysis.measures.cost_data import cost_faults
from cloudxai_analysis.words.phrases import count, money, percent

WEEK = parse_window("2026-W46")
HOURS = pd.Series(pd.date_range("2026-10-05", periods=6 * 168, freq="h", tz="UTC", unit="us"))
ODD = [math.nan, math.inf, -math.inf, 1e308, -1e308, 5e-324, -5e-324, -1.0, 0.0, 1e12, 1e300]


def gauge(values: dict[int, float]) -> pd.DataFrame:
    """Two tenants of 1 EUR an hour for six weeks; the first holds `values` in some hours."""
    frames = []
    for series, tenant in enumerate(["odd", "plain"]):
        value = np.ones(len(HOURS))
        for hour, other in values.items() if tenant == "odd" else ():
            value[hour] = other
        frame = pd.DataFrame({"hour": HOURS, "series_id": series, "tenant": tenant, "currency": "EUR"})
        with np.errstate(over="ignore"):
            frames.append(
                frame.assign(
                    samples=np.where(np.isnan(value), 0, 60),
                    nan_samples=np.where(np.isnan(value), 60, 0),
                    min=value,
                    max=value,
                    last=value,
                    integral=np.where(np.isnan(value), 0.0, value * 3600),
                    increase=np.append(0.0, np.diff(np.nan_to_num(value))),
                    changes=60,
                    resets=30,
                )
            )
    return pd.concat(frames, ignore_index=True)


@settings(max_examples=15, deadline=None)
@given(
    values=st.dictionaries(st.integers(0, len(HOURS) - 1), st.sampled_from(ODD) | st.floats(), max_size=12),
    semantics=st.sampled_from(["rate", "cumulative"]),
)
def test_any_value_leaves_finite_sums_and_sentences(values: dict[int, float], semantics: cost.Semantics) -> None:
    hours = gauge(values)
    covered = pd.DataFrame({"hour": HOURS, "covered": True})
    costs = cost.tenant_costs(hours, WEEK, semantics=semantics, currency="EUR")
    assert np.isfinite(costs["cost"]).all()
    assert (costs["cost"] >= 0).all()
    assert costs.set_index("tenant")["cost"].get("plain", 0.0) == (168.0 if semantics == "rate" else 0.0)
    found = cost_anomalies(hours, WEEK, covered, floor=0.1, hour_floor=2.0, semantics=semantics, currency="EUR")
    assert np.isfinite(found[["cost", "expected", "excess"]].to_numpy()).all()
    basis = anomaly_basis(hours, WEEK, covered, semantics=semantics)
    within = hours[(hours["hour"] >= WEEK.start) & (hours["hour"] < WEEK.end)]
    before = hours[hours["hour"] < WEEK.start]
    now, ago = (cost_faults(part, hours, currency="EUR") for part in (within, before))
    frames = {
        **{"cost.cost_stretches": found, "cost.anomaly_basis": basis, "telemetry.covered_hours": covered},
        **{"cost.faults": now, "cost.faults_before": ago, "cost.costs": costs},
    }
    checks = [Planted(key, frames).check() for key in ("anomalies", "cost_data")]
    for check in checks:
        assert check.value is None or math.isfinite(check.value)
        assert len(check.finding) < 1200
        assert "nan" not in check.finding.split()
    wrong = {hour for hour, value in values.items() if not 0 <= value <= cost.MOST and hour >= 5 * 168}
    assert (checks[1].status == "warn") >= bool(wrong)


@pytest.mark.parametrize(
    ("number", "said"), [(math.inf, "infinite EUR"), (-math.inf, "-infinite EUR"), (1e308, "1e+308 EUR")]
)
def test_amounts_that_no_digits_tell(number: float, said: str) -> None:
    assert money(number, "EUR") == said
    assert count(number, "hour").endswith(" hours")
    assert percent(number).endswith(" %")
