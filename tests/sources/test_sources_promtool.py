"""The same file for Prometheus' own tool and for us: both send the same, and both refuse the same."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from textwrap import indent

import pytest
from hostile_server import Handler, Hostile, Request, vector
from readers import QUICK, ask

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.settings import EnvironmentSettings
from cloudxai_analysis.sources.credentials import read_http_config, settled_credentials
from cloudxai_analysis.sources.session import ObservingSession

pytestmark = pytest.mark.needs("promtool")


def answer(handler: Handler, _: Mapping[str, str]) -> None:
    """Targets for promtool, samples for us."""
    handler.document([{"targets": ["127.0.0.1:1"]}] if handler.path == "/targets" else vector("1"))


def both_ask(folder: Path, server: Hostile, http_config: str) -> tuple[Request, Request]:
    """What the server sees of promtool, which looks for targets over HTTP with the same `http_config`, and of us."""
    for name, content in {"password": " geheimnis \n", "token": "abc.def.ghi\n", "http.yml": http_config}.items():
        (folder / name).write_text(content)
    server.script = answer
    lines = f"scrape_configs:\n- job_name: x\n  http_sd_configs:\n  - url: {server.url}/targets\n"
    (folder / "prometheus.yml").write_text(lines + indent(http_config, "    ") + "\n")
    before = len(server.seen)
    # It would wait for further answers until its own time is over.
    command = ["promtool", "check", "service-discovery", folder / "prometheus.yml", "x"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as promtool:
        for _ in range(500):
            if len(server.seen) > before or promtool.poll() is not None:
                break
            time.sleep(0.02)
        promtool.kill()
    credentials = settled_credentials(EnvironmentSettings(http_config_file=folder / "http.yml"), folder)
    with ObservingSession(server.url, limits=QUICK, credentials=credentials) as session:
        assert ask(session) == vector("1")
    return server.seen[before], server.seen[-1]


@pytest.mark.parametrize(
    "http_config",
    [
        "basic_auth: {username: joe, password: geheimnis}",
        "basic_auth: {username: 007, password: 'pä:ß, pä:ß'}",
        # Discovery in 2.42 passes over the default of `type`, which its documentation gives as Bearer.
        "authorization: {type: Token, credentials_file: token}",
        "follow_redirects: false\nenable_http2: no\nauthorization: {type: Bearer, credentials: 2026-11-12}",
    ],
)
def test_the_same_file_sends_the_same_credentials(hostile: Hostile, tmp_path: Path, http_config: str) -> None:
    theirs, ours = both_ask(tmp_path, hostile, http_config)
    assert theirs.headers["Authorization"] == ours.headers["Authorization"]


@pytest.mark.parametrize(
    "http_config",
    [
        "basic_auth: {username: joe}\nauthorization: {credentials: a}",
        "authorization: {credentials: a, credentials_file: token}",
        "basic_auth: {username: joe, password: a, password_file: password}",
        "basic_auth: {username: joe, username: joe}",
        "tls_config: {min_version: TLS1.3}",
        "follow_redirects: maybe",
        "proxy_url: ':'",
    ],
)
def test_what_promtool_refuses_we_refuse(tmp_path: Path, http_config: str) -> None:
    ours, theirs = tmp_path / "http.yml", tmp_path / "prometheus.yml"
    ours.write_text(http_config)
    theirs.write_text(f"scrape_configs:\n- job_name: x\n{indent(http_config, '  ')}\n")
    assert subprocess.run(["promtool", "check", "config", theirs], capture_output=True, check=False).returncode == 1
    with pytest.raises(UsageError):
        read_http_config(ours)
