from __future__ import annotations

import json
from pathlib import Path

import pytest

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.platform.settings import EnvironmentSettings, Limits
from cloudxai_analysis.sources.demo import DemoSource
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.series import Source
from cloudxai_analysis.sources.server import ServerSource


def opened(url: str, folder: Path | None = None, **config: object) -> Source:
    """The source at `url`, with a file of access in `folder` that says `config`."""
    file = folder and folder / "http.yml"
    if file is not None:
        file.write_text(json.dumps(config), encoding="utf-8")
    return open_source(url, limits=Limits(), settings=EnvironmentSettings(http_config_file=file))


def test_demo_is_the_demo_with_its_seed() -> None:
    source = opened("demo://?seed=7&scenario=clean")
    assert isinstance(source, DemoSource)
    assert source.name == "demo://?seed=7&scenario=clean"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("http://localhost:9090", "http://localhost:9090"),
        ("HTTP://LocalHost:9090/", "http://localhost:9090"),
        ("https://example.org/prometheus/", "https://example.org/prometheus"),
        ("http://[::1]:9090", "http://[::1]:9090"),
        ("https://joe:geheim@example.org/prom", "https://example.org/prom"),
        ("https://joe%40acme:p%2Fw@example.org", "https://example.org"),
        ("http://müller.example:9090", "http://xn--mller-kva.example:9090"),
    ],
)
def test_a_url_is_a_prometheus_named_without_credentials(url: str, name: str) -> None:
    source = opened(url)
    assert isinstance(source, ServerSource)
    assert source.name == name
    assert source.extent() is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "prometheus",
        "localhost:9090",
        "file:///etc/passwd",
        "ftp://joe:geheim@host",
        "http://",
        "http://joe:geheim@",
        "http://joe:ge/heim@host:9090",
        "http://host:geheim",
        "http://host:99999999",
        "http://[::1",
        "http://host:9090?token=geheim",
        "http://host:9090/#geheim",
        "http://ho st:9090",
        "http://host:9090/a\nb",
        "http://*.geheim.org",
    ],
)
def test_anything_else_is_refused_in_one_line_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        opened(url)
    assert "geheim" not in str(refused.value)
    assert "heim@" not in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


def test_a_wrong_authority_is_told_when_the_source_is_opened(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"Source https://localhost:9090 cannot be asked: `tls_config\.ca_file`, "):
        opened("https://localhost:9090", tmp_path, tls_config={"ca_file": "absent.pem"})


def test_a_password_in_the_url_excludes_other_credentials(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="password in its URL, and `authorization` is configured") as said:
        opened("http://joe:geheim@localhost:9090", tmp_path, authorization={"credentials_file": "token"})
    assert "geheim" not in str(said.value)
