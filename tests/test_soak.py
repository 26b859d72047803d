"""Months of faults, of a few seeds; `make soak` runs more of them."""

from __future__ import annotations

from collections import Counter

import pytest
from soak import ALL, soaking

pytestmark = pytest.mark.server


def test_a_month_of_faults_loses_and_doubles_nothing_and_comes_again_by_its_seed() -> None:
    with soaking() as soak:
        months = [soak(seed) for seed in (1, 2, 3)]
        assert [soak(seed, days=6).word for seed in (1, 4)] == [soak(seed, days=6).word for seed in (1, 4)]
    reached = sum((month.reached for month in months), Counter[str]())
    assert {fault for fault in ALL if not reached[fault]} == set()
