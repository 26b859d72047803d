from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import Window, parse_window
from cloudxai_analysis.measures import telemetry
from cloudxai_analysis.measures.time_seen import holds

DAY, NEXT = "2026-11-09", "2026-11-10"
MORNING, EVENING = f"{DAY} 06:00", f"{DAY} 18:00"
WEEK = parse_window("2026-W46")
COLUMNS = ["series_id", "job", "instance", "time", "value"]


def at(text):
    return pd.Timestamp(text, tz="UTC")


def up_of(*series, categorical=True):
    """Samples of `up`: per series its instance, its times, and its values (1 unless given)."""
    parts = []
    for number, (instance, times, *values) in enumerate(series):
        frame = pd.DataFrame({"series_id": number, "job": "cloudxai", "instance": instance, "time": times})
        parts.append(frame.assign(value=values[0] if values else 1.0))
    frame = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=COLUMNS)
    frame = frame.astype({"series_id": "int64", "time": "datetime64[us, UTC]", "value": "float64"})
    return frame.astype({"job": "category", "instance": "category"}) if categorical else frame


NOTHING = up_of()


def every(seconds, start=DAY, hours=24.0):
    """One time every `seconds` from `start` on."""
    return pd.date_range(start, periods=round(hours * 3600 / seconds), freq=f"{seconds}s", tz="UTC", unit="us")


def without(times, start, end):
    return times[(times < at(start)) | (times >= at(end))]


def failed(times, start, end):
    """1 at each of the times, 0 where the scrape failed: from `start` until before `end`."""
    return np.where((times >= at(start)) & (times < at(end)), 0.0, 1.0)


def coverage_frame(up, days=1, **how):
    held = holds(up)
    window = Window(WEEK.start, WEEK.start + timedelta(days=days))
    return telemetry.scrape_coverage(telemetry.job_states(held), held, window, **how)


def minutes_of(*series, days=1):
    """Per day the minutes expected, up and down."""
    return coverage_frame(up_of(*series), days).iloc[:, 2:5].values.tolist()


def gaps_of(*series, end=f"{NEXT} 00:00"):
    held = holds(up_of(*series))
    return telemetry.scrape_gaps(held, telemetry.job_states(held), end=at(end))


@pytest.mark.parametrize(
    ("frame", "columns"),
    [
        (telemetry.job_states(holds(NOTHING)), "job start end state"),
        (
            coverage_frame(NOTHING),
            "job day expected_minutes up_minutes down_minutes coverage failed_share",
        ),
        (gaps_of(), "job instance start end seconds missing"),
        (
            telemetry.covered_periods(coverage_frame(NOTHING), jobs=["cloudxai"], end=at(NEXT)),
            "day coverage covered",
        ),
        (telemetry.process_starts(NOTHING, NOTHING), "job instance started_at seen_at until processes restarted"),
        (telemetry.inventory({}), "metric series samples"),
    ],
)
def test_nothing_in_is_an_empty_frame_with_its_columns(frame, columns):
    assert " ".join(frame.columns) == columns
    assert frame.empty
    for column in frame.columns.intersection(["day", "start", "end", "started_at", "seen_at"]):
        assert str(frame[column].dtype) == "datetime64[us, UTC]"


MINUTELY = every(60)
TO_NOON, FROM_NOON = every(15, hours=12), every(60, f"{DAY} 12:00", 12)


@pytest.mark.parametrize(
    ("series", "found"),
    [
        pytest.param([("a:80", MINUTELY)], [1440, 1440, 0], id="a whole day"),
        pytest.param([("a:80", MINUTELY.repeat(2))], [1440, 1440, 0], id="each sample twice"),
        pytest.param([("a:80", TO_NOON.union(FROM_NOON))], [1440, 1440, 0], id="another interval from noon on"),
        # A scrape stands for 2.5 steps at most: the last one before the hole until 06:01:30.
        pytest.param(
            [("a:80", without(MINUTELY, f"{DAY} 06:00", f"{DAY} 12:00"))], [1440, 1081.5, 0], id="six hours are missing"
        ),
        pytest.param([("a:80", every(60, f"{DAY} 06:00", 6))], [1080, 361.5, 0], id="from six o'clock to noon"),
        pytest.param(
            [("a:80", every(60, hours=12)), ("b:80", FROM_NOON)], [1440, 1440, 0], id="another instance from noon on"
        ),
        pytest.param(
            [("a:80", without(MINUTELY, f"{DAY} 06:00", EVENING)), ("a:80", without(MINUTELY, EVENING, NEXT))],
            *([[1440, 1440, 0]]),
            id="one of a pair covers for the other",
        ),
        pytest.param(
            [("a:80", MINUTELY, failed(MINUTELY, f"{DAY} 10:00", f"{DAY} 10:01"))],
            [1440, 1439, 1],
            id="a failed scrape",
        ),
        pytest.param(
            [("a:80", MINUTELY, failed(MINUTELY, f"{DAY} 12:00", NEXT))], [1440, 720, 720], id="down from noon on"
        ),
        pytest.param(
            [("a:80", MINUTELY), ("b:80", MINUTELY, failed(MINUTELY, DAY, NEXT))], [1440, 1440, 0], id="one is down"
        ),
        pytest.param(
            [("a:80", MINUTELY), ("pod:80", MINUTELY[600:603], [1.0, 0.0, 1.0])],
            *([[1440, 1440, 0]]),
            id="a pod of minutes with a failed scrape",
        ),
        pytest.param(
            [("a:80", TO_NOON.append(FROM_NOON)), ("b:80", MINUTELY, failed(MINUTELY, MORNING, EVENING))],
            *([[1440, 1440, 0]]),
            id="a slow one beside a quick one",
        ),
    ],
)
def test_a_job_is_covered_while_one_of_its_targets_is_up(series, found):
    assert minutes_of(*series) == [found]
    [share] = coverage_frame(up_of(*series))["coverage"]
    assert share == pytest.approx(found[1] / found[0])


def test_a_job_is_expected_from_its_first_scrape_to_the_windows_end():
    """Its only target is gone from Monday noon on: it never comes back, and no day of the rest is covered."""
    found = minutes_of(("a:80", every(60, hours=12)), days=3)
    assert found == [[1440, 721.5, 0], [1440, 0, 0], [1440, 0, 0]]
    # A hole over midnight counts on both days.
    times = without(every(60, hours=48), f"{DAY} 23:00", f"{NEXT} 02:00")
    assert minutes_of(("a:80", times), days=2) == [[1440, 1381.5, 0], [1440, 1320, 0]]


def test_hours_are_covered_alike():
    """Of the first hour its second half was scraped; the third was not."""
    times = without(every(60, f"{DAY} 00:30", 3.5), f"{DAY} 01:59", f"{DAY} 03:00")
    frame = coverage_frame(up_of(("a:80", times)), period="h")
    assert frame["up_minutes"].tolist()[:4] == [30, 60, 0.5, 60]
    found = telemetry.covered_periods(frame, jobs=["cloudxai"], period="h", end=at(NEXT))
    assert found["covered"].tolist()[:5] == [False, True, False, True, False]


def test_a_gap_is_told_with_both_its_ends_and_the_missing_scrapes():
    """Last at 05:59, next at 06:50: 51 min apart, 50 scrapes missing. The target's own gap tells the job's."""
    gaps = gaps_of(("a:80", without(MINUTELY, f"{DAY} 06:00", f"{DAY} 06:50")))
    start, end = at(f"{DAY} 05:59"), at(f"{DAY} 06:50")
    assert gaps.values.tolist() == [["cloudxai", "a:80", start, end, 3060.0, 50]]


@pytest.mark.parametrize(("missing", "gaps"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_a_gap_is_longer_than_two_and_a_half_steps(missing, gaps):
    """One scrape missing leaves 120 s, two leave 180 s; 2.5 steps are 150 s."""
    assert gaps_of(("a:80", MINUTELY.delete(range(600, 600 + missing))))["missing"].tolist() == [missing] * gaps


@pytest.mark.parametrize(
    "series",
    [
        pytest.param([("a:80", MINUTELY, failed(MINUTELY, MORNING, EVENING))], id="down"),
        pytest.param([("a:80", TO_NOON.append(FROM_NOON))], id="from 15 s to a minute"),
        pytest.param([("a:80", every(60, hours=12).append(every(15, f"{DAY} 12:00", 12)))], id="from a minute to 15 s"),
        pytest.param([("a:80", every(60, hours=6)), ("b:80", every(60, MORNING, 18))], id="a rollout"),
        pytest.param(
            [("a:80", without(MINUTELY, f"{DAY} 06:00", f"{DAY} 09:00")), ("a:80", every(60, hours=24))], id="a pair"
        ),
        pytest.param([("a:80", MINUTELY[:600].append(MINUTELY[600:-2] + pd.Timedelta(seconds=90)))], id="2.5 steps"),
    ],
)
def test_what_is_no_gap(series):
    assert gaps_of(*series).empty


def coverage_by_day(**shares):
    """One row per job and day: `a={"09": 1.0}`."""
    rows = [
        {"job": job, "day": pd.Timestamp(f"2026-11-{day}", tz="UTC"), "up_minutes": 1440 * share}
        for job, days in shares.items()
        for day, share in days.items()
    ]
    return pd.DataFrame(rows).astype({"day": "datetime64[us, UTC]"})


def covered(frame, jobs, end="2026-11-12", **least):
    days = telemetry.covered_periods(frame, jobs=jobs, end=at(end), **least)
    return [[f"{day:%d}", pytest.approx(share), there] for day, share, there in days.itertuples(index=False)]


def test_a_day_is_covered_when_every_job_has_95_percent_of_its_24_hours():
    frame = coverage_by_day(a={"09": 1.0, "10": 0.96, "11": 1.0}, b={"09": 0.94, "10": 0.95, "11": 1.0})
    assert covered(frame, ["a", "b"]) == [["09", 0.94, False], ["10", 0.95, True], ["11", 1.0, True]]
    assert covered(frame, ["a", "b"], least=0.9)[0] == ["09", 0.94, True]
    # At 23:00 a day has more than 95 % of its hours, and is not over.
    assert covered(frame, ["a"], end="2026-11-11 23:00")[2] == ["11", 1.0, False]


def starts_of(*rows):
    """One row per (instance, time, seconds since the epoch)."""
    frame = pd.DataFrame(rows, columns=["instance", "time", "value"])
    frame["time"] = pd.to_datetime(frame["time"], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    frame["series_id"] = frame.groupby("instance").ngroup()
    frame = frame.assign(job="cloudxai").sort_values(["series_id", "time"], ignore_index=True)
    return frame.astype({"value": "float64", "job": "category", "instance": "category"})


def seconds(text):
    return pd.Timestamp(text, tz="UTC").timestamp()


def starts(samples, up=NOTHING):
    frame = telemetry.process_starts(samples, up)
    return [
        [instance, f"{begun:%d %H:%M:%S}", f"{seen:%d %H:%M}", again]
        for _, instance, begun, seen, _, _, again in frame.itertuples(index=False)
    ]


def test_a_first_start_is_a_restart_where_the_target_was_scraped_before_it():
    """The new build exports its start, the one before did not."""
    samples = starts_of(("a:80", f"{DAY} 12:01", seconds(f"{DAY} 12:00")))
    assert starts(samples, up_of(("a:80", every(60)))) == [["a:80", "09 12:00:00", "09 12:01", True]]
    assert starts(samples, up_of(("b:80", every(60)))) == [["a:80", "09 12:00:00", "09 12:01", False]]
    down = np.zeros(1440)
    assert starts(samples, up_of(("a:80", every(60), down))) == [["a:80", "09 12:00:00", "09 12:01", False]]


def test_a_start_that_a_client_recomputes_is_the_same_process():
    """Half a second to and fro, and before the sample before: the clock was set, nothing restarted."""
    begun = seconds("2026-11-01 12:00")
    samples = starts_of(*(("a:80", f"{DAY} 00:0{minute}", begun + minute % 2 / 2) for minute in range(6)))
    assert starts(samples) == [["a:80", "01 12:00:00", "09 00:00", False]]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300, 1e12, 0.0, -5.0])
def test_a_start_that_is_no_time_is_none(value):
    begun = seconds("2026-11-01 12:00")
    samples = starts_of(*(("a:80", f"{DAY} 00:0{minute}", now) for minute, now in enumerate([begun, value, begun])))
    assert starts(samples) == [["a:80", "01 12:00:00", "09 00:00", False]]
    assert starts(samples.iloc[1:2]) == []


def test_starts_that_take_turns_are_several_processes_behind_one_address():
    """Alone until 00:10, three by turns until 00:50, then a new one: one restart is known, and none of the turns is."""
    begun = [seconds(f"2026-11-0{day} 12:00") for day in (1, 2, 3)]
    values = [begun[0] - 5_000] * 10 + [begun[minute % 3] for minute in range(41)]
    values += [seconds(f"{DAY} 00:50:30")] * 9
    samples = starts_of(*(("a:80", f"{DAY} 00:{minute:02}", value) for minute, value in enumerate(values)))
    frame = telemetry.process_starts(samples, NOTHING)
    assert frame["processes"].tolist() == [1, 3, 1]
    assert frame["restarted"].tolist() == [False, False, True]
    assert [f"{seen:%H:%M}" for seen in frame["seen_at"]] == ["00:00", "00:10", "00:51"]
    # A process is seen for two and a half of its steps after its last sample.
    assert [f"{until:%H:%M:%S}" for until in frame["until"]] == ["00:11:30", "00:52:30", "01:01:30"]
