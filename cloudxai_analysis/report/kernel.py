"""A kernel that starts while the telemetry is pulled, so that the notebook need not wait for it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

# Imported by name alone: the notebook's own imports then find them, and none of its names is there before it says so.
_LOADED = ("cloudxai_analysis.cards.weekly", "cloudxai_analysis.study.opening", "matplotlib.backends.backend_svg")
ARGUMENTS = (
    "--IPKernelApp.log_level=CRITICAL",
    f"--IPKernelApp.exec_lines=[{', '.join(repr(f'__import__({name!r})') for name in _LOADED)}]",
)


class Kernel:
    """A Python kernel that is being started in the background; `manager` waits for it."""

    def __init__(self, starting: Future[Any]) -> None:
        self._starting = starting

    def manager(self) -> Any:
        """The manager of the running kernel, as nbclient takes it."""
        return self._starting.result()

    def end(self) -> None:
        """End the kernel and everything in its process group; nothing happens where there is none any more."""
        # What kept it from starting is told where the notebook runs.
        if self._starting.exception() is None:
            end_group(self.manager())


@contextmanager
def kernel_under_way() -> Iterator[Kernel]:
    """A kernel started now, with what every notebook imports; it is gone when the block ends."""
    with ThreadPoolExecutor(1, "kernel") as pool:
        kernel = Kernel(pool.submit(_started))
        try:
            yield kernel
        finally:
            kernel.end()


def end_group(manager: Any) -> None:
    """End a kernel's whole process group: a cell's own children outlive the kernel otherwise."""
    group = getattr(manager, "group", None)
    if group and group != os.getpgid(0):
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def _started() -> Any:
    from jupyter_client.manager import AsyncKernelManager

    manager: Any = AsyncKernelManager(kernel_name="python3")
    asyncio.run(manager.start_kernel(extra_arguments=list(ARGUMENTS)))
    # After its shutdown the provisioner is gone, but a cell's own children may not be.
    manager.group = getattr(manager.provisioner, "pgid", None)
    return manager
