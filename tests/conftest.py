"""What every test stands on: the loopback alone, real servers where they are installed, one profile of hypothesis."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import hypothesis
import pytest
import servers
from hostile_server import Hostile, hostile_server

from cloudxai_analysis.sources.series import SeriesBatch
from cloudxai_analysis.study.study import Study

IN_CI = os.environ.get("CI") == "true"
hypothesis.settings.register_profile("check", max_examples=10, deadline=None)
hypothesis.settings.register_profile("quick", max_examples=200 if IN_CI else 50, deadline=None, derandomize=IN_CI)
hypothesis.settings.register_profile("soak", max_examples=20_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


WAITING = ("server", "needs", "notebook", "browser", "slow")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that wait for servers, kernels and disks come first, so that no worker waits for them at the end."""
    waiting = {item.path for item in items if any(item.get_closest_marker(mark) for mark in WAITING)}
    items.sort(key=lambda item: item.path not in waiting)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what needs a server that is not installed; in continuous integration that is an error."""
    wanted = list(servers.TOOLS) if item.get_closest_marker("server") else []
    wanted += [tool for mark in item.iter_markers("needs") for tool in mark.args]
    if missing := [tool for tool in wanted if shutil.which(tool) is None]:
        said = f"{' and '.join(missing)} not installed"
        if servers.tools_may_be_missing():
            pytest.skip(said)
        pytest.fail(said, pytrace=False)


@pytest.fixture(scope="session", autouse=True)
def loopback_only() -> Iterator[None]:
    """Fail a test that opens a connection to anywhere but this machine; no other host has a name."""
    connect, connect_ex, resolve = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo

    def guarded(call: Callable[[socket.socket, Any], Any]) -> Callable[[socket.socket, Any], Any]:
        def checked(self: socket.socket, address: Any) -> Any:
            if self.family != socket.AF_UNIX and not _is_here(str(address[0])):
                pytest.fail(f"A test went to {address}: only the loopback is allowed.")
            return call(self, address)

        return checked

    def resolved(host: Any, *details: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and not _is_here(name):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve(host, *details, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(connect))
        patch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
        patch.setattr(socket, "getaddrinfo", resolved)
        yield


@pytest.fixture(scope="session")
def demo_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The demo's last week, for all tests that only read it."""
    from cloudxai_analysis.operate.evaluate import study_of
    from cloudxai_analysis.sources.demo import DemoSource

    return study_of(DemoSource(), tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def start_prometheus(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[..., servers.Server]]:
    """A function that starts a Prometheus holding the given batches, until the end of the tests."""
    with ExitStack() as running:

        def start(batches: Iterable[SeriesBatch] = (), **how: Any) -> servers.Server:
            folder = tmp_path_factory.mktemp("prometheus")
            servers.load_openmetrics(folder, batches)
            return running.enter_context(servers.prometheus(folder, **how))

        yield start


@pytest.fixture(scope="session")
def prometheus(start_prometheus: Callable[..., servers.Server]) -> servers.Server:
    """A Prometheus that holds nothing and scrapes nothing."""
    return start_prometheus()


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    """A server that answers as its script says."""
    with hostile_server() as server:
        yield server


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("", "localhost")
