"""SQL over a study: what it counts of the report's own frames is what the report says."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from cloudxai_analysis.cards.summary import summarise
from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.study.frame import frame, values
from cloudxai_analysis.study.opening import open_study
from cloudxai_analysis.study.study import Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """The demo's last week and the one before it, in a lake."""
    folder = tmp_path_factory.mktemp("sql")
    (folder / "cloudxai.toml").write_text('[environments.demo]\nsource = "demo://"\nhistory_weeks = 1\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLOUDXAI_SETTINGS", str(folder / "cloudxai.toml"))
        patch.setenv("CLOUDXAI_OUTPUTS", str(folder / "outputs"))
        patch.delenv("PROMETHEUS_URL", raising=False)
        yield open_study("2026-W46")


@pytest.mark.parametrize("table", ["cost.costs", '"cost"."costs"', "COST.Costs"])
def test_the_sum_in_sql_is_the_cost_of_the_report(study: Study, table: str) -> None:
    (tile,) = (tile for tile in summarise(study)["tiles"] if tile["key"] == "cost")
    (total,) = study.sql(f"SELECT sum(cost) AS total FROM {table}")["total"]  # noqa: S608
    assert total == pytest.approx(tile["value"], rel=1e-8)


def test_frames_and_samples_stand_side_by_side(study: Study) -> None:
    """By hand: a gauge of 60 samples an hour, so the mean of its samples times the hours is near its cost."""
    found = study.sql("""
        SELECT tenant, any_value(cost) AS cost, avg(value) * count(*) / 60 AS near
        FROM samples JOIN cost.costs USING (tenant) WHERE metric = 'tenant_cost_estimate'
        GROUP BY tenant ORDER BY cost DESC LIMIT 5
    """)
    assert len(found) == 5
    assert (found["cost"] / found["near"] - 1).abs().max() < 0.01


def test_every_frame_can_be_asked(study: Study) -> None:
    for name in (name for name, one in values().items() if isinstance(one, frame) and study.rows(name) is not None):
        counted = study.sql(f"SELECT count(*) AS rows FROM {name}")["rows"]  # noqa: S608
        assert counted.tolist() == [len(study.rows(name))], name
    with pytest.raises(UsageError, match="does not exist"):
        study.sql("SELECT * FROM cost.nothing")
    assert isinstance(study.sql("SELECT 1"), pd.DataFrame)
