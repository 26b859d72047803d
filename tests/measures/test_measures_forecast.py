"""Forecasts say the same on every processor, so that a report made again elsewhere is the same report."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

_ASK = """
import json, sys
import numpy as np
from cloudxai_analysis.measures.forecast import forecast_sums
draw = np.random.default_rng(int(sys.argv[1]))
daily = draw.poisson(draw.uniform(0.5, 4) * np.where(np.arange(42) % 7 > 4, 0.4, 1.2)).astype(float)
forecast = forecast_sums(daily, days=90)
print(json.dumps([forecast.model, np.quantile(forecast.paths, [0.1, 0.5, 0.9], axis=1).tolist()]))
"""


def asked(seed: int, **environment: str) -> list:
    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(seed)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("seed", [1, 2])
def test_older_processors_forecast_the_same(seed):
    """OpenBLAS brings kernels for each generation of processors; their last bits differ."""
    model, quantiles = asked(seed)
    old_model, old_quantiles = asked(seed, OPENBLAS_CORETYPE="Nehalem")
    assert old_model == model
    np.testing.assert_allclose(old_quantiles, quantiles, rtol=1e-6, atol=1e-6)
