"""Commands run in `/`, as cron does, with no setting but those named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def run(*command: str, settings: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command says and how it ends."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("CLOUDXAI_", "PROMETHEUS_"))}
    named = {"CLOUDXAI_SETTINGS": str(settings)} if settings else {}
    return subprocess.run(
        command,
        env={**clean, "PYTHONPATH": str(PROJECT), **named, **environment},
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def cloudxai(*words: str, settings: Path | None = None) -> subprocess.CompletedProcess[str]:
    """The suite's own command."""
    return run(sys.executable, "-m", "cloudxai_analysis.cli", *words, settings=settings)
