"""A pull on a Dask cluster: the bytes of one machine, whatever becomes of its workers, and no secret in their logs."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import servers
from clean_command import clean
from dask_cluster import DaskCluster, dask_cluster
from killed_pull import LATER, START, Steady, contract, pull_days

from cloudxai_analysis.ground.errors import LakeLocked, SourceUnreachable, UsageError
from cloudxai_analysis.ground.window import DAY, Window
from cloudxai_analysis.lake import executor
from cloudxai_analysis.lake.pull import pull
from cloudxai_analysis.lake.tables import open_lake
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.credentials import settled_credentials
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.session import ObservingSession

DAYS = 3
SECRET = "a-secret-of-nobody-else"


def tiles(path: Path) -> dict[str, bytes]:
    """Every file of a lake but its logs."""
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*.parquet")}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one machine pulls."""
    path = tmp_path_factory.mktemp("alone") / "lake"
    assert pull_days(str(path), DAYS) == 1
    return tiles(path)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def under_way(pool: ThreadPoolExecutor, lake: Path, word: str, gate: Path) -> Future[int]:
    """A pull whose workers stand at a gate."""
    pulled = pool.submit(pull_days, str(lake), DAYS, gate=str(gate), executor=word)
    until = time.monotonic() + 120
    while not gate.with_suffix(".reached").exists():
        assert not pulled.done(), pulled.result()
        assert time.monotonic() < until
        time.sleep(0.01)
    return pulled


def refused(word: str, lake: Path, kind: type[Exception], match: str) -> None:
    """The pull ends with one line, and nothing was published."""
    with pytest.raises(kind, match=match) as caught:
        pull_days(str(lake), DAYS, executor=word)
    assert "\n" not in str(caught.value)
    assert not open_lake(lake).exists


def test_a_local_cluster_writes_the_bytes_of_threads(lake: Path, alone: dict[str, bytes]) -> None:
    assert pull_days(str(lake), DAYS, executor="dask") == 1
    assert tiles(lake) == alone
    assert pull_days(str(lake), DAYS, executor="dask") == 1


def test_on_a_scheduler_that_runs_with_one_two_and_four_workers(tmp_path: Path, alone: dict[str, bytes]) -> None:
    with dask_cluster(tmp_path) as cluster:
        for number in range(4):
            cluster.worker(f"worker-{number}")
            if number in (0, 1, 3):
                path = tmp_path / str(number)
                assert pull_days(str(path), DAYS, executor=cluster.word) == 1
                assert tiles(path) == alone


def test_what_a_killed_worker_had_is_done_by_another(tmp_path: Path, lake: Path, alone: dict[str, bytes]) -> None:
    gate = tmp_path / "gate"
    with dask_cluster(tmp_path, "one", "two") as cluster, ThreadPoolExecutor(1) as pool:
        pulled = under_way(pool, lake, cluster.word, gate)
        cluster.kill("one")
        gate.touch()
        assert pulled.result() == 1
    assert tiles(lake) == alone


@pytest.mark.parametrize("lost", ["scheduler", "one"])
def test_a_lost_cluster_is_one_line_and_what_it_finished_is_taken_up(
    tmp_path: Path, lake: Path, alone: dict[str, bytes], lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_ALONE_SECONDS", 3)
    gate = tmp_path / "gate"
    with dask_cluster(tmp_path, "one") as cluster, ThreadPoolExecutor(1) as pool:
        pulled = under_way(pool, lake, cluster.word, gate)
        cluster.kill(lost)
        with pytest.raises(SourceUnreachable, match=r"dask://\S+' was lost: .* went away\. Nothing was committed"):
            pulled.result()
    assert not open_lake(lake).exists
    assert pull_days(str(lake), DAYS) == 1
    assert tiles(lake) == alone


def other_version(folder: Path) -> str:
    """A folder in which an older numba says that it is there."""
    found = folder / "older" / "numba-0.1.dist-info"
    found.mkdir(parents=True)
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: numba\nVersion: 0.1\n")
    return os.pathsep.join([str(found.parent), *filter(None, sys.path)])


def no_suite(folder: Path) -> str:
    """A folder with a module of our name, in which nothing of ours is found, however the suite is installed."""
    (folder / "none").mkdir()
    (folder / "none" / "cloudxai_analysis.py").write_text("")
    return str(folder / "none")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (other_version, r"Worker \S+ has numba 0\.1, and who asked has numba [\d.]+: its tiles might have other bytes"),
        (
            no_suite,
            r"Worker \S+ does not have this suite: .*No module named 'cloudxai_analysis\.lake.*Install",
        ),
    ],
)
def test_a_worker_that_is_not_alike_is_refused(
    tmp_path: Path, lake: Path, found: Callable[[Path], str], said: str
) -> None:
    with dask_cluster(tmp_path) as cluster:
        cluster.worker("other", PYTHONPATH=found(tmp_path))
        refused(cluster.word, lake, UsageError, said)


def test_a_worker_that_comes_later_is_held_against_the_caller_too(tmp_path: Path, lake: Path) -> None:
    gate = tmp_path / "gate"
    with dask_cluster(tmp_path, "one") as cluster, ThreadPoolExecutor(1) as pool:
        pulled = under_way(pool, lake, cluster.word, gate)
        cluster.worker("other", PYTHONPATH=other_version(tmp_path))
        cluster.kill("one")
        gate.touch()
        with pytest.raises(UsageError, match=r"Worker on \S+ has numba 0\.1"):
            pulled.result()


def test_a_scheduler_without_the_suite_is_named(tmp_path: Path, lake: Path) -> None:
    cluster = DaskCluster(tmp_path)
    try:
        cluster.scheduler(PYTHONPATH=no_suite(tmp_path))
        cluster.worker("one")
        refused(cluster.word, lake, UsageError, "Scheduler of executor 'dask://.*does not have this suite")
    finally:
        for name in list(cluster.running):
            cluster.kill(name)


def test_nobody_there_and_other_words(tmp_path: Path, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "_SECONDS", 1)
    refused(f"dask://127.0.0.1:{servers.free_port()}", lake, SourceUnreachable, "gave no scheduler with a worker")
    with dask_cluster(tmp_path) as cluster:
        refused(cluster.word, lake, SourceUnreachable, "gave no scheduler with a worker within 1 s")
    for word in ("processes", "dask://host", "spark://host:1", ""):
        refused(word, lake, UsageError, "is none of threads, dask and dask://HOST:PORT")


@pytest.mark.needs("unshare", "mount")
def test_a_worker_with_a_disk_of_its_own_commits_nothing(tmp_path: Path, lake: Path) -> None:
    hidden = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none {tmp_path} && exec "$@"', "sh")
    with dask_cluster(tmp_path) as cluster:
        cluster.worker("apart", before=hidden)
        refused(cluster.word, lake, UsageError, r"wrote 18 of 18 files to where Lake \S+ is not: nothing was committed")


class Failing(Steady):
    """A source with a secret, whose reads fail."""

    secret = SECRET

    def __reduce__(self) -> tuple[type, tuple[()], dict[str, str]]:
        return Failing, (), {"secret": self.secret}

    def read(self, *asked: object) -> None:  # type: ignore[override]
        del asked
        raise UsageError("not today")


def test_workers_and_scheduler_log_no_secret_even_of_work_that_fails(tmp_path: Path, lake: Path) -> None:
    with dask_cluster(tmp_path, "one") as cluster:
        with pytest.raises(UsageError, match="not today"):
            pull(Failing(), open_lake(lake), contract(), Window(START, START + DAY), now=LATER, executor=cluster.word)
        cluster.said("one", b"not today")
        for name in ("scheduler", "one"):
            assert SECRET not in (tmp_path / f"{name}.log").read_text()


def test_credentials_go_along_as_the_caller_has_them(tmp_path: Path) -> None:
    words = {name: tmp_path / name for name in ("user", "password", "token", "header")}
    for name, file in words.items():
        file.write_text(f"{name}-{SECRET}")
        file.chmod(0o600)
    configs = {
        "basic": "basic_auth: {username_file: user, password_file: password}",
        "token": "authorization: {type: Token, credentials_file: token}",
        "header": "http_headers: {X-Key: {values: [one], files: [header]}}",
    }
    packed, headers = {}, {}
    for name, text in configs.items():
        file = tmp_path / f"{name}.yml"
        file.write_text(text)
        file.chmod(0o600)
        settings = EnvironmentSettings(http_config_file=file, tenant="acme")
        session = ObservingSession(
            "http://127.0.0.1:1", limits=Limits(), credentials=settled_credentials(settings, tmp_path)
        )
        packed[name], headers[name] = pickle.dumps(session), sent(session)
    for file in tmp_path.iterdir():
        file.unlink()
    for name, content in packed.items():
        again = pickle.loads(content)
        assert sent(again) == headers[name]
        assert any(SECRET in value or "Basic" in value for value in sent(again).values())
        assert (again.base, again.limits) == ("http://127.0.0.1:1", Limits())
        assert SECRET not in repr(again.auth) + str(again.auth.config)


def sent(session: ObservingSession) -> dict[str, str]:
    """The headers of a request."""
    return dict(session.prepare_request(requests.Request("GET", "http://127.0.0.1:1/api/v1/labels")).headers)


def test_the_demo_goes_along_with_what_was_planted() -> None:
    given = DemoSource.from_url("demo://?seed=3&scenario=clean")
    again = pickle.loads(pickle.dumps(given))
    assert (again.describe(), again.scenario) == (given.describe(), given.scenario)
    beta = DemoSource()
    assert pickle.loads(pickle.dumps(beta)).describe() == beta.describe()


@pytest.mark.server
def test_a_server_is_read_in_the_way_that_was_chosen_and_counted_as_foreseen(tmp_path: Path) -> None:
    with servers.prometheus(tmp_path) as server:
        source = open_source(server.url, limits=Limits(), settings=EnvironmentSettings())
        window = Window(START, START + 3 * DAY)
        source.foresee("up", {"job": "x"}, list(window.days()))
        again = pickle.loads(pickle.dumps(source))
        assert again._ranges.counts.foreseen() == source._ranges.counts.foreseen() != []
        assert again.describe() == {**source.describe(), "chosen": "the settings ask for it"}
        assert again.read("up", {"job": "x"}, next(iter(window.days()))).samples == 0


def test_a_publication_that_is_tried_again_is_the_one_that_is_there(lake: Path) -> None:
    pull_days(str(lake), 1)
    opened = open_lake(lake)
    newest = opened.snapshot()
    stated = {name: said for name, said in newest.provenance.items() if name != "samples_version"}
    assert opened.publish(newest.files, stated, after=0) == 1
    assert opened.snapshot().version == 1
    with pytest.raises(LakeLocked, match="was written by another run meanwhile"):
        opened.publish(newest.files, {**stated, "now": "later"}, after=0)


def test_a_report_on_one_machine_imports_neither_dask_nor_an_object_store(tmp_path: Path) -> None:
    said = (
        "import sys; from cloudxai_analysis.cli.main import main\n"
        "try: main(['pull', '--source', 'demo://', '--week', '2026-W42'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}"
        " & {'dask', 'distributed', 'tornado', 'boto3', 's3fs', 'fsspec', 'pyarrow._s3fs'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", said],
        env=clean(CLOUDXAI_OUTPUTS=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
