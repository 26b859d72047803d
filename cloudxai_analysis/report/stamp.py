"""What an executed notebook tells of how it was made: its own hash, the versions it ran with."""

from __future__ import annotations

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "pandas", "pyarrow", "deltalake", "numba", "matplotlib", "papermill", "ipykernel")


def stamp(executed: Path, notebook: Path) -> None:
    """Add to the executed notebook's metadata, under `cloudxai`, the hash of `notebook` and the libraries' versions."""
    content: dict[str, Any] = json.loads(executed.read_text(encoding="utf-8"))
    content["metadata"]["cloudxai"] = {
        "notebook": notebook.name,
        "notebook_sha256": hashlib.sha256(notebook.read_bytes()).hexdigest(),
        "python": platform.python_version(),
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }
    executed.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
