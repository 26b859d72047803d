import numpy as np
import pandas as pd
import pytest

from cloudxai_analysis.ground.window import parse_window
from cloudxai_analysis.measures import alerts

WEEK = parse_window("2026-W46")  # 9 to 16 November
EPISODES = [
    "episode",
    "alertname",
    "severity",
    "tenant",
    "instance",
    "pending_at",
    "fired_at",
    "resolved_at",
    "seconds",
    "cut_start",
    "cut_end",
    "unseen_seconds",
]
TIME = "datetime64[us, UTC]"


def moment(text):
    return pd.Timestamp(text if "-" in text else f"2026-11-11 {text}", tz="UTC")


def firing(first, minutes, *, state="firing", name="TenantReadinessBreach", tenant="acme", end_marker=False, series=0):
    """One sample a minute for that many minutes."""
    frame = pd.DataFrame({"time": pd.date_range(moment(first), periods=minutes + end_marker, freq="min", unit="us")})
    frame["value"] = 1.0
    if end_marker:
        frame.loc[minutes, "value"] = float("nan")
    frame["series_id"] = series or hash((name, tenant, state)) % 2**62
    labels = {"alertname": name, "alertstate": state, "severity": "page", "tenant": tenant, "job": "", "instance": ""}
    for label, text in labels.items():
        frame[label] = pd.Categorical([text] * len(frame))
    return frame


def samples(*frames):
    return pd.concat(frames).sort_values(["series_id", "time"], ignore_index=True)


def episodes(*frames, window=WEEK):
    return alerts.episodes(samples(*frames), interval_seconds=60, window=window)


def pendings(*frames):
    return alerts.pendings(samples(*frames), interval_seconds=60)


def test_an_episode_by_hand():
    found = episodes(firing("10:00", 2, state="pending"), firing("10:02", 5))
    assert list(found) == EPISODES
    row = found.iloc[0]
    assert len(found) == 1
    assert row[["episode", "alertname", "severity", "tenant", "instance"]].tolist() == [
        1,
        "TenantReadinessBreach",
        "page",
        "acme",
        "",
    ]
    # Pending at 10:00 and 10:01, firing from 10:02 to 10:06, so resolved by 10:07.
    assert row[["pending_at", "fired_at", "resolved_at"]].tolist() == [
        moment("10:00"),
        moment("10:02"),
        moment("10:07"),
    ]
    assert row["seconds"] == 300.0
    assert not row["cut_start"]
    assert not row["cut_end"]


def test_samples_twice_the_interval_apart_are_one_episode_and_further_ones_two():
    assert len(episodes(firing("10:00", 3), firing("10:04", 3))) == 1
    assert len(episodes(firing("10:00", 3), firing("10:05", 3))) == 2


def test_a_staleness_marker_ends_an_episode_at_once():
    found = episodes(firing("10:00", 3, end_marker=True), firing("10:04", 3))
    assert found["fired_at"].tolist() == [moment("10:00"), moment("10:04")]
    assert found["resolved_at"].tolist() == [moment("10:03"), moment("10:07")]


def test_label_sets_are_kept_apart():
    found = episodes(firing("10:01", 3, tenant="b"), firing("10:00", 3, tenant="a"), firing("10:01", 3, tenant="b c"))
    assert found["tenant"].tolist() == ["a", "b", "b c"]
    assert found["episode"].tolist() == [1, 2, 3]


def test_what_is_cut_off_by_the_window_is_said():
    start = firing("2026-11-09 00:00", 5)
    end = firing("2026-11-15 23:55", 5, tenant="b")
    whole = firing("2026-11-09 00:03", 5, tenant="c")
    found = episodes(start, end, whole).set_index("tenant")
    assert found["cut_start"].to_dict() == {"acme": True, "c": False, "b": False}
    assert found["cut_end"].to_dict() == {"acme": False, "c": False, "b": True}
    # It was pending in the window, so it began in it; a marker says that it ended.
    pending = firing("2026-11-09 00:00", 1, state="pending")
    assert not episodes(pending, firing("2026-11-09 00:01", 3))["cut_start"].iloc[0]
    assert not episodes(firing("2026-11-15 23:55", 4, end_marker=True))["cut_end"].iloc[0]


def test_pending_that_fired_is_no_near_miss():
    assert pendings(firing("10:00", 2, state="pending"), firing("10:02", 5)).empty
    waited = firing("11:00", 4, state="pending")
    later = firing("12:00", 2, state="pending", tenant="b")
    fired = firing("12:02", 2, tenant="b")
    found = pendings(later, fired, waited)
    assert list(found) == ["alertname", "tenant", "instance", "pending_at", "ended_at"]
    assert found[["tenant", "pending_at", "ended_at"]].values.tolist() == [["acme", moment("11:00"), moment("11:04")]]


def test_several_pendings_of_which_the_last_sorted_fired():
    # The order by end differs from the order by begin.
    long = firing("10:00", 30, state="pending", tenant="long")
    short = firing("10:05", 2, state="pending", tenant="short")
    assert pendings(long, short, firing("10:30", 2, tenant="long"))["tenant"].tolist() == ["short"]
    assert pendings(long, short, firing("10:07", 2, tenant="short"))["tenant"].tolist() == ["long"]


def burst(first, count, *, name="TenantReadinessBreach", apart="30s"):
    start = moment(first)
    frame = pd.DataFrame({"fired_at": pd.date_range(start, periods=count, freq=apart, unit="us")})
    frame["resolved_at"] = frame["fired_at"] + pd.Timedelta(minutes=5)
    frame["seconds"] = 300.0
    labels = {"alertname": name, "severity": "page", "instance": ""}
    frame = frame.assign(**labels, tenant=[f"t{number}" for number in range(count)], cut_start=False, cut_end=False)
    return frame.astype({"fired_at": TIME})


def storms(*bursts, hours=28 * 24):
    return alerts.storms(pd.concat(bursts), hours=hours)


def test_ten_episodes_within_ten_minutes_are_a_storm():
    assert storms(burst("10:00", 9)).empty
    assert storms(burst("10:00", 10)).values.tolist() == [
        [moment("10:00"), moment("10:10"), 10, "TenantReadinessBreach"]
    ]
    # The tenth begins exactly ten minutes after the first: outside.
    assert storms(burst("10:00", 10, apart="4000s")).empty


def test_on_a_quiet_platform_no_storm_hides_another():
    # The first of two once made the second's ordinary, and of five alike one was found.
    two = storms(burst("2026-11-10 09:00", 26), burst("2026-11-13 14:00", 26))
    assert two[["start", "episodes"]].values.tolist() == [
        [moment("2026-11-10 09:00"), 26],
        [moment("2026-11-13 14:00"), 26],
    ]
    days = [burst(f"2026-11-{day:02d} 09:00", 26) for day in range(9, 14)]
    assert storms(*days)["episodes"].tolist() == [26] * 5
    assert storms(burst("03:00", 26), burst("09:00", 26), hours=24)["episodes"].tolist() == [26] * 2


def test_a_storm_is_more_than_chance_brings_once_a_year():
    """Twelve episodes an hour, evenly: a mean of 2 within ten minutes.

    By Alm's formula a Poisson process brings 11 within some ten minutes (1 - 2/11) * 2 * 52,560 * P(10; 2) = 3.3 times
    a year, and 12 of them 0.6 times.
    """
    even = burst("2026-10-19 00:00", 28 * 24 * 12, apart="5min")
    assert storms(even).empty
    # Two of the even ones begin within each ten minutes, too.
    assert storms(even, burst("10:01", 9, apart="20s")).empty
    # The ten from 10:01 to 10:04 make twelve from 9:55 on as well as from 10:01: all from 9:55 to 10:10 are the storm.
    found = storms(even, burst("10:01", 10, apart="20s"))
    assert found[["start", "end", "episodes"]].values.tolist() == [[moment("09:55"), moment("10:11"), 14]]


def poisson(draws, *, a_minute, sizes=None):
    """Four weeks in which alerts, or bursts of `sizes`, come by chance."""
    number = draws.poisson(a_minute * 28 * 1440)
    begun = draws.uniform(0, 28 * 86_400e6, number)
    if sizes is not None:
        begun = np.repeat(begun, sizes(number))
    begun = np.sort(begun + draws.uniform(0, 60e6, len(begun))).astype("int64")
    frame = burst("10:00", len(begun))
    return frame.assign(
        fired_at=(pd.Timestamp("2026-10-19", tz="UTC") + pd.to_timedelta(begun, unit="us")).astype(TIME)
    )


def test_the_ordinary_bursts_of_a_busy_platform_are_no_storms():
    draws = np.random.default_rng(10)
    # Ten years of platforms with three alerts in ten minutes, and with twelve: about one storm a year of each.
    assert sum(len(storms(poisson(draws, a_minute=0.3))) for _ in range(13)) <= 3
    assert sum(len(storms(poisson(draws, a_minute=1.2))) for _ in range(13)) <= 4
    # Bursts of four on the average, twice an hour; a storm of sixty among them is one.
    bursts = poisson(draws, a_minute=1 / 30, sizes=lambda number: draws.geometric(0.25, number))
    assert len(storms(bursts)) <= 1
    assert 60 <= storms(bursts, burst("10:00", 60, apart="9s"))["episodes"].max() <= 90
    # Twelve at every full hour are ordinary, too.
    hourly = [burst(f"2026-11-{day:02d} {hour:02d}:00", 12) for day in range(2, 9) for hour in range(24)]
    assert storms(*hourly, hours=7 * 24).empty


def test_a_storm_is_called_after_its_most_frequent_alert_and_two_storms_are_two():
    mixed = pd.concat([burst("10:00", 4, name="B"), burst("10:01", 7, name="A"), burst("15:00", 12, name="C")])
    ordinary = [burst(f"2026-11-{day:02d} 03:00", 1) for day in range(4, 8)]
    assert storms(mixed, *ordinary)[["episodes", "alertname"]].values.tolist() == [[11, "A"], [12, "C"]]


def test_what_stood_when_the_window_began_is_no_storm():
    assert storms(burst("10:00", 20, apart="1us").assign(cut_start=True)).empty


def test_three_episodes_within_an_hour_flap():
    def fired(*clocks, tenant="acme"):
        frame = pd.concat([burst(clock, 1) for clock in clocks], ignore_index=True)
        return frame.assign(tenant=tenant)

    assert alerts.flapping(fired("10:00", "10:30")).empty
    assert alerts.flapping(fired("10:00", "10:30", "11:01")).empty
    found = alerts.flapping(fired("10:00", "10:30", "11:00", "11:30", "14:00"))
    assert found.values.tolist() == [["TenantReadinessBreach", "acme", 4, moment("10:00"), moment("11:35")]]
    assert alerts.flapping(pd.concat([fired("10:00", "10:30"), fired("10:40", tenant="b")])).empty
    twice = alerts.flapping(fired("10:00", "10:10", "10:20", "15:00", "15:10", "15:20", "15:30"))
    assert twice["episodes"].tolist() == [3, 4]


def test_noise_counts_brief_ones_and_those_at_night_in_the_zone():
    frame = pd.concat([burst("21:59", 1), burst("22:00", 1), burst("07:59", 1), burst("08:00", 1)])
    frame["seconds"] = [299.0, 300.0, 60.0, 3600.0]
    noise = alerts.weekly_noise(frame, zone="UTC")
    assert noise.values.tolist() == [["TenantReadinessBreach", "page", 4, 2, 2, 4259.0]]
    # Berlin is one hour ahead in November: 22:59, 23:00, 08:59 and 09:00.
    assert alerts.weekly_noise(frame, zone="Europe/Berlin")["at_night"].tolist() == [2]
    assert alerts.weekly_noise(frame.assign(cut_end=True), zone="UTC")["short_lived"].tolist() == [0]


@pytest.mark.parametrize("label", ["tenant", "severity", "instance"])
def test_labels_that_no_alert_carries_are_empty(label):
    frame = firing("10:00", 3).drop(columns=[label])
    assert alerts.episodes(frame, interval_seconds=60, window=WEEK)[label].tolist() == [""]


def test_nothing_gives_empty_frames_with_the_right_columns():
    nothing = firing("10:00", 1).iloc[:0]
    for frame in (nothing, firing("10:00", 3).assign(value=float("nan"))):
        found = alerts.episodes(frame, interval_seconds=60, window=WEEK)
        assert list(found) == EPISODES
        assert found.empty
        assert {str(found[name].dtype) for name in ("pending_at", "fired_at", "resolved_at")} == {TIME}
        assert list(alerts.storms(found, hours=672)) == ["start", "end", "episodes", "alertname"]
        assert list(alerts.flapping(found)) == ["alertname", "tenant", "episodes", "start", "end"]
        assert list(alerts.weekly_noise(found, zone="UTC"))[2:] == ["episodes", "short_lived", "at_night", "seconds"]
        waiting = alerts.pendings(frame, interval_seconds=60)
        assert waiting.empty
        assert str(waiting["pending_at"].dtype) == TIME


def test_hostile_names_stay_what_they_are():
    name = 'a"b,\n=c</td>'
    assert episodes(firing("10:00", 3, tenant=name, name=name))[["alertname", "tenant"]].values.tolist() == [
        [name, name]
    ]


def state_of(active, minutes, *, first=None, series=7):
    """ALERTS_FOR_STATE: since when the alert is active, in whole seconds, one sample a minute."""
    frame = firing(first or active, minutes, series=series)
    return frame.assign(value=float(moment(active).timestamp()))


def gap(start, end):
    return pd.DataFrame({"start": [moment(start)], "end": [moment(end)]}).astype(dict.fromkeys(["start", "end"], TIME))


def seen(*frames, **more):
    return alerts.episodes(samples(*frames), interval_seconds=60, window=WEEK, **more)


def test_a_gap_of_the_server_resolves_nothing():
    before, after = firing("10:00", 5), firing("11:00", 5)
    assert len(seen(before, after)) == 2
    found = seen(before, after, gaps=gap("10:05", "10:59"))
    # The last sample at 10:04, the next at 11:00: 55 minutes of evaluations are missing between them.
    assert found[["fired_at", "resolved_at", "unseen_seconds"]].values.tolist() == [
        [moment("10:00"), moment("11:05"), 55 * 60.0]
    ]
    assert found[["cut_start", "cut_end"]].values.tolist() == [[False, False]]
    # Pending again after the restart, as a server whose rule has a `for` makes it.
    waited = firing("11:00", 2, state="pending")
    again = seen(before, waited, firing("11:02", 5), gaps=gap("10:05", "11:00"))
    assert again[["fired_at", "resolved_at", "unseen_seconds"]].values.tolist() == [
        [moment("10:00"), moment("11:07"), 57 * 60.0]
    ]


def test_what_does_not_come_back_after_a_gap_is_cut_off():
    hole = gap("10:05", "10:59")
    found = seen(firing("10:00", 5), gaps=hole)
    assert found[["cut_start", "cut_end"]].values.tolist() == [[False, True]]
    # What fires at once after it may have begun in it; what was pending after it began after it.
    begun = seen(firing("11:00", 5), gaps=hole)
    assert begun[["cut_start", "cut_end"]].values.tolist() == [[True, False]]
    later = seen(firing("11:00", 2, state="pending"), firing("11:02", 5), gaps=hole)
    assert later[["cut_start", "cut_end"]].values.tolist() == [[False, False]]
    # An hour after the gap is another firing.
    assert len(seen(firing("10:00", 5), firing("12:00", 5), gaps=hole)) == 2
    # A resolution seen before the gap stays one, and another label set is no return.
    apart = seen(firing("10:00", 5), firing("11:00", 5, tenant="b"), gaps=hole)
    assert apart["tenant"].tolist() == ["acme", "b"]


def test_one_activation_is_one_episode_whatever_samples_are_missing():
    before, after = firing("10:00", 5), firing("10:30", 5)
    one = pd.concat([state_of("09:58", 5, first="10:00"), state_of("09:58", 5, first="10:30")])
    found = seen(before, after, for_state=one)
    assert found[["pending_at", "fired_at", "resolved_at", "unseen_seconds"]].values.tolist() == [
        [moment("09:58"), moment("10:00"), moment("10:35"), 25 * 60.0]
    ]
    two = pd.concat([state_of("09:58", 5, first="10:00"), state_of("10:28", 5, first="10:30")])
    assert seen(before, after, for_state=two)["pending_at"].tolist() == [moment("09:58"), moment("10:28")]
    # A rule without `for` is active since it fired, and was not pending.
    at_once = seen(before, for_state=state_of("10:00", 5))
    assert at_once["pending_at"].isna().all()
    assert seen(before, for_state=one.iloc[:0])["fired_at"].tolist() == [moment("10:00")]


def test_an_activation_says_whether_the_window_cuts_it():
    standing = firing("2026-11-09 00:00", 5)
    old = state_of("2026-11-08 20:00", 5, first="2026-11-09 00:00")
    found = seen(standing, for_state=old)
    assert found["cut_start"].tolist() == [True]
    assert found["pending_at"].tolist() == [moment("2026-11-08 20:00")]
    new = state_of("2026-11-09 00:00", 5)
    assert seen(standing, for_state=new)["cut_start"].tolist() == [False]


def replicas(*stretches):
    """Firings of one alert by two replicas, half a minute apart: (first, minutes, end_marker) of each."""
    frames = []
    for number, shift in enumerate(("0s", "30s")):
        for first, minutes, marker in stretches:
            frame = firing(first, minutes, series=number + 1, end_marker=marker)
            frames.append(frame.assign(time=frame["time"] + pd.Timedelta(shift), alert=1))
    return samples(*frames)


def test_the_episodes_of_an_ha_pair_are_one():
    found = alerts.episodes(replicas(("10:00", 5, False)), interval_seconds=60, window=WEEK)
    assert found[["fired_at", "resolved_at"]].values.tolist() == [
        [moment("10:00"), moment("10:05") + pd.Timedelta("30s")]
    ]
    # Resolved and fired again two minutes later, which both replicas' markers say.
    twice = alerts.episodes(replicas(("10:00", 3, True), ("10:04", 3, True)), interval_seconds=60, window=WEEK)
    assert twice["fired_at"].tolist() == [moment("10:00"), moment("10:04")]
    # One replica alone saw the second half, the other the first.
    halves = pd.concat([firing("10:00", 10, series=1).iloc[:6], firing("10:00", 10, series=2).iloc[4:]])
    joined = alerts.episodes(halves.assign(alert=5), interval_seconds=60, window=WEEK)
    assert joined[["fired_at", "resolved_at"]].values.tolist() == [[moment("10:00"), moment("10:10")]]
    # Two alerts that differ in a label that the frame does not have are two.
    frame = replicas(("10:00", 5, False))
    apart = alerts.episodes(frame.assign(alert=frame["series_id"]), interval_seconds=60, window=WEEK)
    assert len(apart) == 2


def test_each_rule_has_its_own_interval():
    slow = firing("10:00", 3, name="Slow", series=1)
    slow = slow.assign(time=slow["time"] + pd.to_timedelta(range(0, 12, 4), unit="min"))  # every 5 minutes
    frames = samples(slow, firing("10:00", 1, series=2), firing("10:05", 1, series=2))
    found = alerts.episodes(frames, interval_seconds={"": 60.0, "Slow": 300.0}, window=WEEK)
    assert found[["alertname", "seconds"]].values.tolist() == [
        ["Slow", 900.0],
        ["TenantReadinessBreach", 60.0],
        ["TenantReadinessBreach", 60.0],
    ]
    assert len(alerts.episodes(frames, interval_seconds=60, window=WEEK)) == 5


def test_the_order_of_the_samples_does_not_matter():
    frame = samples(*[firing(f"{hour}:00", 5, tenant=f"t{hour}") for hour in range(10, 20)])
    expected = alerts.episodes(frame, interval_seconds=60, window=WEEK)
    shuffled = frame.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(alerts.episodes(shuffled, interval_seconds=60, window=WEEK), expected)
