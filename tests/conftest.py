"""What every test stands on: the loopback alone, real servers where they are installed, one profile of hypothesis."""

from __future__ import annotations

import ipaddress
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import servers
from clean_command import Done
from hostile_server import Hostile, hostile_server

from cloudxai_analysis.ground import secrets
from cloudxai_analysis.sources.series import SeriesBatch
from cloudxai_analysis.study.study import Study

if TYPE_CHECKING:
    from killed_pull import Mortals

IN_CI = os.environ.get("CI") == "true"
hypothesis.settings.register_profile("check", max_examples=10, deadline=None)
hypothesis.settings.register_profile("quick", max_examples=100 if IN_CI else 50, deadline=None, derandomize=IN_CI)
hypothesis.settings.register_profile("soak", max_examples=20_000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


# What a shell runs in the background ignores this signal, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SLOW = set((Path(__file__).parent / "slow.txt").read_text(encoding="utf-8").split())
WAITING = ("server", "needs", "notebook", "browser", "slow")


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark what `slow.txt` names: a file, a class, a test, or one case of it."""
    names = item.nodeid.partition("[")[0].split("::")
    if SLOW & {item.nodeid, *accumulate(names, "{}::{}".format)}:
        item.add_marker("slow")


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


@pytest.fixture(autouse=True)
def own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one test sends as a secret is hidden in no other test's lines."""
    monkeypatch.setattr(secrets, "_kept", {*secrets._kept})


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


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo's folder of outputs, for commands of this process that are given no other setting."""
    (tmp_path / "cloudxai.toml").write_text("")
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(tmp_path / "cloudxai.toml"))
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    monkeypatch.delenv("PROMETHEUS_URL", raising=False)
    return tmp_path / "outputs" / "demo"


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """A function that gives a command in this process, where a new one proves nothing."""
    from cloudxai_analysis.cli import main

    def given(*words: str) -> Done:
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([*words])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        if ended.value.code == 130:  # who ends the tests ends whichever command runs in their process
            raise KeyboardInterrupt
        return Done(int(ended.value.code or 0), said.out.split("\n")[:-1], said.err.split("\n")[:-1])

    return given


@pytest.fixture(scope="module")
def run() -> Iterator[Mortals]:
    """A function whose each call is the life of one process, which may end as a test wants."""
    from killed_pull import mortals

    with mortals() as program:
        yield program


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a process of `mortals(ON_A_DISK)` has a disk of its own."""
    from killed_pull import ON_A_DISK

    folder = tmp_path_factory.mktemp("disk")
    tried = subprocess.run([*ON_A_DISK, folder, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"mounting is not permitted here: {tried.stderr.strip()}")
    return folder


@pytest.fixture(scope="session")
def demo_study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The demo's last week, for all tests that only read it."""
    from _own_weeks import study_of

    from cloudxai_analysis.sources.demo import DemoSource

    return study_of(DemoSource(), tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser."""
    from playwright.sync_api import sync_playwright

    if (chromium := shutil.which("chromium")) is None:
        missing = pytest.skip if servers.tools_may_be_missing() else pytest.fail
        missing("Chromium (Debian package chromium) is not installed")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


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
