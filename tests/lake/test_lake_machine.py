"""The lake as a machine: any row of publications, crashes and damages beside a plain list of what was published."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from cloudxai_analysis.ground.errors import LakeDamaged, UsageError
from cloudxai_analysis.ground.window import Window
from cloudxai_analysis.lake.tables import Lake, log_file, open_lake
from cloudxai_analysis.lake.tiles import write_tile
from cloudxai_analysis.lake.upkeep import set_aside_torn
from cloudxai_analysis.sources.series import SeriesBatch

WEEK = Window(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC))
DAYS = list(WEEK.days())
Values = dict[int, int]  # of days by their number
SOME = st.dictionaries(st.integers(0, len(DAYS) - 1), st.integers(0, 10**6), max_size=3)


class LakeMachine(RuleBasedStateMachine):
    """A lake of one metric, a sample a day; `published` is what each version holds."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.opened()
        self.published: list[Values] = []

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule()
    def opened(self) -> None:
        self.lake: Lake = open_lake(Path(self.folder.name) / "lake")

    @rule(values=SOME)
    def publish(self, values: Values) -> None:
        tiles = [file for day, value in values.items() for file in self._tile(day, value)]
        self.published.append({**self.newest, **values})
        assert self.lake.publish(tiles, {"source": "x"}) == len(self.published)

    @rule(values=SOME)
    def killed_between_the_two_commits(self, values: Values) -> None:
        self.publish(values)
        self._log().unlink()
        self.published.pop()

    @precondition(lambda self: self.published)
    @rule(share=st.floats(0, 0.999))
    def newest_log_is_torn(self, share: float) -> None:
        log = self._log()
        log.write_bytes(log.read_bytes()[: int(share * log.stat().st_size)])
        with pytest.raises(LakeDamaged):
            self.lake.snapshot()
        assert set_aside_torn(self.lake, [])
        self.published.pop()

    @precondition(lambda self: self.published and self.newest)
    @rule(chance=st.randoms(use_true_random=False))
    def a_tile_is_damaged_and_restored(self, chance: object) -> None:
        file = chance.choice(self.lake.snapshot().files).path(self.lake.path)
        whole = file.read_bytes()
        place = chance.randrange(len(whole))
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
        with pytest.raises(LakeDamaged, match=file.name):
            self._held(len(self.published))
        file.write_bytes(whole)

    @invariant()
    def every_version_is_what_was_published(self) -> None:
        assert self.lake.exists is bool(self.published)
        for version in {1, len(self.published)} if self.published else ():
            assert self._held(version) == self.published[version - 1]
        with pytest.raises(UsageError):
            self.lake.snapshot(len(self.published) + 1)

    @property
    def newest(self) -> Values:
        """What the newest version holds."""
        return self.published[-1] if self.published else {}

    def _tile(self, day: int, value: int) -> list:
        batch = SeriesBatch.of("m", [({"a": "b"}, np.array([DAYS[day].start_ms]), np.array([float(value)]))])
        return write_tile(self.lake.path, batch, DAYS[day], DAYS[day].end, "tenant").files

    def _log(self) -> Path:
        return log_file(self.lake.path / "rollups", len(self.published))

    def _held(self, version: int) -> Values:
        snapshot = self.lake.snapshot(version)
        samples, hours = snapshot.samples("m", WEEK), snapshot.hours("m", WEEK)
        assert hours["last"].tolist() == samples["value"].tolist()
        return dict(zip(samples["time"].dt.day_of_week.tolist(), samples["value"].astype(int).tolist(), strict=True))


TestLake = LakeMachine.TestCase
TestLake.settings = settings(max_examples=max(3, settings().max_examples // 10), stateful_step_count=12, deadline=None)
