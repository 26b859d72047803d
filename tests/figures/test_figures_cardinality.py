import numpy as np
import pandas as pd

from cloudxai_analysis.figures import cardinality as figures
from cloudxai_analysis.figures import new_axes

START = pd.Timestamp("2026-11-09", tz="UTC").as_unit("us")


def hours(count):
    return pd.date_range(START, periods=count, freq="h").as_unit("us")


def days(count):
    return pd.date_range(START, periods=count, freq="D").as_unit("us")


def active(tenants):
    return pd.DataFrame({"hour": hours(len(tenants)), "tenants": tenants, "generated": 0})


def held(**by_instance):
    frames = [
        pd.DataFrame({"job": "cloudxai", "instance": f"{name}:8080", "hour": hours(len(numbers)), "held": numbers})
        for name, numbers in by_instance.items()
    ]
    return pd.concat(frames) if frames else pd.DataFrame(columns=["job", "instance", "hour", "held"])


def restarts(*rows):
    return pd.DataFrame(rows, columns=["instance", "started_at"])


def headroom(free):
    return pd.DataFrame({"hour": hours(len(free)), "headroom": free, "job": "j", "instance": "i", "held": 0})


def churn(*rows):
    frame = pd.DataFrame(rows, columns=["tenants", "came", "left", "churn"])
    return frame.assign(day=days(len(rows)))


def rejections(**by_instance):
    columns = ["hour", "job", "instance", "rejections"]
    frames = [
        pd.DataFrame({"hour": hours(len(n)), "job": "j", "instance": f"{name}:80", "rejections": n})
        for name, n in by_instance.items()
    ]
    return pd.concat(frames) if frames else pd.DataFrame(columns=columns)


def sets(*rows):
    return pd.DataFrame(rows, columns=["week", "new", "returning", "stayed", "lost"])


def said(ax):
    return [text.get_text() for text in ax.texts]


def message(ax):
    return ax.get_title(loc="left")


def hatched(ax):
    return [patch for patch in ax.patches if patch.get_hatch() == "////"]


def test_tenants_names_the_fullest_process_under_its_cap():
    frame = held(one=[50, 70], two=[10, 12])
    events = restarts(("one:8080", START + pd.Timedelta(hours=1)))
    ax = figures.tenants_and_cap(new_axes(), active([40, 48]), frame, cap=100, events=events)
    assert message(ax) == "48 tenants active; one holds 70 of 100 labels"
    assert {"cap 100", "48 active", "one holds 70", "two holds 12", "restart one"} <= set(said(ax))
    assert ax.get_ylim()[0] == 0


def test_tenants_with_many_processes_says_how_many_are_drawn():
    frame = held(**{f"p{n}": [n] for n in range(9)})
    ax = figures.tenants_and_cap(new_axes(), active([40]), frame, cap=100, events=restarts())
    assert "p8 holds 8" in said(ax)
    assert any(text.endswith(", 3 of 9 processes") for text in said(ax))


def test_missing_hours_break_the_line_and_are_hatched():
    frame = active([5] * 10).drop(index=[4, 5])
    ax = figures.tenants_and_cap(new_axes(), frame, held(), cap=10, events=restarts())
    drawn = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) > 5]
    assert [np.isnan(y).sum() for y in drawn] == [1]
    assert len(hatched(ax)) == 1
    assert message(ax) == "5 tenants active at the end"


def test_headroom_says_the_end_and_the_least():
    ax = figures.headroom_over_time(new_axes(), headroom([30, 0, 58]), cap=100, warn_share=0.2)
    assert message(ax) == "58 labels left at the end, 0 at the least"
    assert {"warn under 20", "58 left", "least 0, Mon 9 Nov, 01:00"} <= set(said(ax))


def test_churn_marks_unknown_days():
    ax = figures.churn_by_day(new_axes(), churn((40, 4, 6, 0.25), (42, 0, 0, np.nan)), bound=0.2)
    assert message(ax) == "Highest daily churn 25.0 %, on Mon 9 Nov"
    assert {"+4 −6", "unknown", "bound 20 %"} <= set(said(ax))
    assert hatched(ax)


def test_churn_of_unknown_days_alone():
    ax = figures.churn_by_day(new_axes(), churn((40, 4, 6, np.nan)), bound=0.2)
    assert message(ax) == "Churn is unknown on every day"


def test_rejections_add_the_processes():
    ax = figures.rejections_by_hour(new_axes(), rejections(a=[0, 400, 100], b=[0, 12, 0]))
    assert message(ax) == "512 refusals, 412 of them on Mon 9 Nov, 01:00"
    assert {"a: 500", "b: 12"} <= set(said(ax))


def test_rejections_of_a_quarter_are_few_columns():
    ax = figures.rejections_by_hour(new_axes(), rejections(a=[1] * 2184))
    assert len(ax.patches[0].get_path().vertices) <= 251 * 5


def test_sets_say_the_last_week():
    ax = figures.tenant_sets_by_week(new_axes(), sets(("2026-W45", 5, 0, 40, 2), ("2026-W46", 12, 3, 41, 4)))
    assert message(ax) == "2026-W46: 12 new, 3 returning, 41 stayed, 4 lost"
    assert {"12 new", "3 returning", "41 stayed", "4 lost"} <= set(said(ax))
    assert [label.get_text() for label in ax.get_xticklabels()] == ["W45", "W46"]


def test_week_in_which_nobody_was_seen_is_no_zero():
    ax = figures.tenant_sets_by_week(new_axes(), sets(("2026-W45", 0, 0, 0, 0), ("2026-W46", 12, 0, 0, 0)))
    assert "no data" in said(ax)


def test_empty_frames_say_why():
    none = pd.to_datetime(pd.Series([], dtype="str"), utc=True)
    hourless = active([]).assign(hour=none)
    drawn = [
        figures.tenants_and_cap(new_axes(), hourless, held(), cap=100, events=restarts()),
        figures.headroom_over_time(new_axes(), headroom([]), cap=100, warn_share=0.2),
        figures.churn_by_day(new_axes(), churn(), bound=0.2),
        figures.rejections_by_hour(new_axes(), rejections()),
        figures.rejections_by_hour(new_axes(), rejections(a=[0, 0])),
        figures.tenant_sets_by_week(new_axes(), sets()),
    ]
    assert [said(ax) for ax in drawn] == [
        ["Nothing to draw", "no tenant was exported in this window"],
        ["Nothing to draw", "no held tenants are known in this window"],
        ["Nothing to draw", "no covered day in this window"],
        ["Nothing to draw", "the guard refused nothing in this window"],
        ["Nothing to draw", "the guard refused nothing in this window"],
        ["Nothing to draw", "no tenant was seen in these weeks"],
    ]
