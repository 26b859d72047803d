import pandas as pd

from cloudxai_analysis.figures import new_axes
from cloudxai_analysis.figures.telemetry import coverage_by_day, gaps_on_timeline
from cloudxai_analysis.ground.window import parse_window

WEEK = parse_window("2026-W46")  # 9 to 16 November


def utc(text):
    return pd.Timestamp(text, tz="UTC").as_unit("us")


def coverage(shares):
    """One row per job and day from the 9th on; None leaves the day out."""
    rows = [
        (job, utc(f"2026-11-{9 + day:02d}"), 1440.0, 1440 * share, 0.0, share, 0.0)
        for job, days in shares.items()
        for day, share in enumerate(days)
        if share is not None
    ]
    columns = ["job", "day", "expected_minutes", "up_minutes", "down_minutes", "coverage", "failed_share"]
    return pd.DataFrame(rows, columns=columns)


def gaps(*rows):
    frame = pd.DataFrame(rows, columns=["instance", "start", "end", "seconds", "missing"])
    return frame.assign(job="cloudxai", start=frame["start"].map(utc), end=frame["end"].map(utc))


def said(ax):
    return [text.get_text() for text in ax.texts]


def lanes(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def test_coverage_says_the_share_of_all_and_the_short_days():
    ax = coverage_by_day(new_axes(), coverage({"a": [1.0, 0.5], "b": [1.0, 1.0]}), least=0.95)
    assert ax.get_title(loc="left") == "87.5 % of the time since the first scrape seen, 1 of 4 days short"  # 3.5 of 4
    assert lanes(ax) == ["a", "b"]
    assert "50 %" in said(ax)
    assert "Share of the time in which a target was up, 9 to 10 Nov 2026 (UTC)" in said(ax)


def test_coverage_without_a_short_day():
    ax = coverage_by_day(new_axes(), coverage({"a": [1.0, 0.95]}), least=0.95)
    assert ax.get_title(loc="left") == "97.5 % of the time since the first scrape seen"


def test_day_without_a_row_is_hatched():
    def hatches(shares):
        ax = coverage_by_day(new_axes(), coverage(shares), least=0.95)
        return [patch for patch in ax.patches if patch.get_hatch() == "////"]

    assert not hatches({"a": [1.0, 1.0]})
    assert len(hatches({"a": [1.0, None, 1.0]})) == 1


def test_many_jobs_keep_the_worst_and_say_so():
    shares = {f"cloudxai-{n:02d}": [1.0 - n / 100] for n in range(30)}
    ax = coverage_by_day(new_axes(), coverage(shares), least=0.95)
    assert "cloudxai-29" in lanes(ax)
    assert "cloudxai-00" not in lanes(ax)
    assert any(text.endswith(f", {len(lanes(ax))} of 30 jobs") for text in said(ax))


def test_gaps_say_their_missing_scrapes():
    frame = gaps(
        ("a:80", "2026-11-10 03:00", "2026-11-10 03:51", 3060.0, 50),
        ("b:80", "2026-11-12 12:00", "2026-11-12 12:05", 300.0, 4),
    )
    ax = gaps_on_timeline(new_axes(), frame, WEEK)
    assert ax.get_title(loc="left") == "54 scrapes missing in 2 gaps, the longest 51 min"
    assert {"50 missing", "4 missing"} <= set(said(ax))
    assert lanes(ax) == ["a", "b"]
    # 9 November 2026 is 20 766 days after 1970.
    assert ax.get_xlim() == (20766, 20773)
    assert "UTC" in ax.get_xlabel()


def test_a_gap_of_a_whole_job_has_its_own_lane():
    frame = gaps(("", "2026-11-10 03:00", "2026-11-10 03:51", 3060.0, 50))
    assert lanes(gaps_on_timeline(new_axes(), frame, WEEK)) == ["cloudxai"]


def test_empty_frames_say_why():
    assert "no scrape of any target in this window" in said(coverage_by_day(new_axes(), coverage({}), least=0.95))
    assert "no scrape is missing in 2026-W46, 9 to 15 Nov 2026" in said(gaps_on_timeline(new_axes(), gaps(), WEEK))
