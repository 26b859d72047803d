import numpy as np
import pandas as pd

from cloudxai_analysis.measures.counters import counter_steps
from cloudxai_analysis.measures.flapping import tenant_flapping as flapping_of_steps

NO_SCRAPES = pd.DataFrame({"job": [], "instance": [], "time": pd.Series([], dtype="datetime64[us, UTC]")})
NO_STARTS = NO_SCRAPES.assign(seen_at=NO_SCRAPES["time"], started_at=NO_SCRAPES["time"], processes=1)
COLUMNS = ["tenant", "start", "end", "transitions"]


def counter(values, *, tenant="acme", start="2026-11-11 10:00", series=1, minutes=None):
    frame = pd.DataFrame({"value": np.asarray(values, dtype="float64")})
    minutes = np.arange(len(frame)) if minutes is None else np.asarray(minutes)
    frame["time"] = (pd.Timestamp(start, tz="UTC") + pd.to_timedelta(minutes, unit="min")).astype("datetime64[us, UTC]")
    frame["series_id"] = series
    for name, value in {"job": "cloudxai", "instance": "a:80", "tenant": tenant}.items():
        frame[name] = pd.Categorical([value] * len(frame))
    return frame


def tenant_flapping(samples):
    return flapping_of_steps(counter_steps(samples, NO_SCRAPES, NO_STARTS))


def at(clock):
    return pd.Timestamp(f"2026-11-11 {clock}", tz="UTC")


def test_flips_between_scrapes_are_seen_in_the_counter():
    # 4 a minute over 5 minutes: 20 in all, the state may look ready at each scrape.
    found = tenant_flapping(counter([0, 0, 4, 8, 12, 16, 20, 20, 20]))
    assert found.values.tolist() == [["acme", at("10:01"), at("10:06"), 20]]
    assert str(found["transitions"].dtype) == "int64"


def test_ten_in_ten_minutes_are_not_more_than_ten():
    assert tenant_flapping(counter(np.arange(11))).empty
    assert tenant_flapping(counter(np.arange(120))).empty  # one a minute for two hours: never 11 within 10
    assert tenant_flapping(counter([0, 11]))["transitions"].tolist() == [11]


def test_two_stretches_far_apart_are_two_rows():
    values = np.concatenate([np.arange(0, 40, 4), np.full(60, 36), np.arange(40, 80, 4)])
    found = tenant_flapping(counter(values))
    assert found["transitions"].tolist() == [36, 40]
    assert found["start"].tolist() == [at("10:00"), at("11:09")]


def test_an_incident_flips_twice_and_is_no_flapping():
    assert tenant_flapping(counter([0, 1, 1, 1, 2, 2])).empty


def test_a_reset_counts_the_value_after_it():
    found = tenant_flapping(counter([100, 103, 9]))  # 3 + 9
    assert found["transitions"].tolist() == [12]
    assert tenant_flapping(counter([1000, 1000, 2])).empty


def test_a_rise_over_a_gap_shows_no_flapping():
    assert tenant_flapping(counter([0, 40, 40], minutes=[0, 50, 51])).empty
    assert len(tenant_flapping(counter([0, 40, 40], minutes=[0, 9, 10]))) == 1


def test_a_high_first_value_is_no_rise():
    assert tenant_flapping(counter([500, 500])).empty
    samples = pd.concat([counter([0, 1]), counter([500, 501], tenant="b", series=2)], ignore_index=True)
    assert tenant_flapping(samples).empty


def test_series_are_kept_apart_whatever_their_ids():
    one = counter([0, 6, 6], tenant="a", series=-(2**62))
    other = counter([0, 6, 6], tenant="b", series=2**62)
    assert tenant_flapping(pd.concat([one, other], ignore_index=True)).empty
    loud = counter([0, 60, 60], tenant="<b>", series=2**62)
    assert tenant_flapping(pd.concat([one, loud], ignore_index=True))["tenant"].tolist() == ["<b>"]


def test_nothing_one_sample_and_nan_give_empty_frames():
    for values in ([], [5.0], [np.nan, np.nan]):
        found = tenant_flapping(counter(values))
        assert list(found) == COLUMNS
        assert str(found["start"].dtype) == "datetime64[us, UTC]"
        assert found.empty
    # NaN is skipped over.
    assert tenant_flapping(counter([0, np.nan, 20]))["transitions"].tolist() == [20]
