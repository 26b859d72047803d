"""The frames of a study by name: each is made of what is there, is listed, and made anew when the ledger grows."""

from contextlib import suppress
from copy import copy
from datetime import UTC, datetime
from operator import attrgetter

import pandas as pd
import pytest
from small_platform import study_of

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.ground.window import DAY, Window, parse_window
from cloudxai_analysis.measures.frames import columns_of
from cloudxai_analysis.study.alerts import FOR_STATE
from cloudxai_analysis.study.frame import ANY_METRIC, Topic, frame, inputs_of, roots_of, value, values

SETTINGS = {
    *("bounds", "contract", "end", "environment", "history", "ledger", "reach", "rules", "seen", "study", "window"),
}


def test_everything_is_made_of_frames_that_are_there_roles_of_the_contract_and_settings(demo_study):
    for given in {given for name in values() for given in inputs_of(name)} - set(values()):
        if given.startswith("role "):
            assert given.removeprefix("role ") in {*demo_study.contract.metrics, ANY_METRIC, FOR_STATE}
        else:
            first, *rest = given.split(".")
            assert first in SETTINGS
            held = getattr(demo_study, first)
            for attribute in rest:
                held = getattr(held, attribute)
    assert {"telemetry.up", "role up", "role readiness", "readiness.reaching"} <= roots_of("readiness.outages")


def test_of_a_platform_without_a_sample_every_frame_has_the_columns_and_types_that_its_measure_tells(tmp_path):
    nothing, told = study_of({}, tmp_path, parse_window("2026-W46")), 0
    for name, one in values().items():
        found = attrgetter(name)(nothing)
        with suppress(ValueError, KeyError, AttributeError):  # those of another frame, or a single value
            if columns := columns_of(one.measure):
                assert found.dtypes.astype("str").to_dict() == columns, name
                told += 1
    assert told > 40


def test_after_an_entry_only_what_reads_the_ledger_is_made_anew(demo_study):
    stale = {name for name in values() if "ledger" in roots_of(name)}
    assert {"alerts.incidents", "alerts.judged", "alerts.rule_overview", "alerts.weekly_pooled"} <= stale
    assert not {"alerts.episodes", "alerts.storms"} & stale
    episodes, judged = demo_study.alerts.episodes, demo_study.alerts.judged
    demo_study.reread()
    assert demo_study.alerts.episodes is episodes
    assert demo_study.alerts.judged is not judged
    pd.testing.assert_frame_equal(demo_study.alerts.judged, judged)


def test_frames_are_listed_with_columns_units_inputs_and_the_function_that_makes_them(demo_study):
    every = demo_study.frames().set_index("frame")
    assert every["says"].str.endswith(".").all()
    assert "alerts.month" not in every.index
    outages = every.loc["readiness.outages"]
    assert outages["columns"] == "start, end, minutes [min]"
    assert outages["inputs"] == "readiness.reaching, seen"
    assert outages["measure"].startswith("measures/readiness.py ")
    assert {"readiness.outages", "readiness.tenant_outages"} <= set(demo_study.frames("outage")["frame"])
    assert "readiness.outages" in set(demo_study.frames("minutes [min]")["frame"])
    with pytest.raises(UsageError, match="PromQL needs a server"):
        demo_study.promql("up")


def test_an_error_in_a_measure_names_the_frames_on_the_way_and_a_frame_may_be_cut_to_a_window():
    class Broken(Topic):
        least = value(min, "nothing")
        twice = frame(lambda least: least * 2, "least")
        nothing = value(list)
        days = frame(lambda: pd.DataFrame({"day": pd.date_range("2026-11-01", periods=4, tz="UTC")}), within="day")

    class Days:
        seen = Window(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 3, tzinfo=UTC))
        within = staticmethod(lambda found, column, window: found[found[column] < window.end])

    with pytest.raises(ValueError, match="empty") as raised:
        _ = Broken(None).twice
    assert raised.value.__notes__ == ["while making broken.least of nothing", "while making broken.twice of least"]
    assert len(Broken(Days()).days) == 2


def test_any_metric_of_the_source_can_be_asked_for(demo_study):
    found = demo_study.samples(demo_study.contract["readiness"].name)
    assert {"series_id", "time", "value", "job", "instance"} <= set(found)
    with pytest.raises(UsageError, match="has none, and no role of the contract is called so"):
        demo_study.samples("http_requests_total")


def test_two_studies_side_by_side_say_why_a_number_cannot_be_held_against_another(demo_study):
    same = demo_study.compare(demo_study).set_index("number")
    assert same["difference"].dropna().eq(0).all()
    assert set(same["why"]) <= {"", "unknown of one of the two"}
    shorter = copy(demo_study)
    shorter.seen = Window(demo_study.seen.start, demo_study.seen.start + DAY)
    told = demo_study.compare(shorter).set_index("number")["why"]
    assert told["cost.total"] == "windows of different length"
    assert told["cost.gini"] == ""
