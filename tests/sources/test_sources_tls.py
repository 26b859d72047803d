"""TLS and proxies with real servers: who is trusted, what is shown, and what a failure says."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Certificate, new_authority, server_context
from hostile_server import Handler, Hostile, hostile_server, loopback_proxy, vector
from readers import QUICK, ask, session_of

from cloudxai_analysis.ground.errors import SourceUnreachable, UsageError
from cloudxai_analysis.platform.settings import Limits

pytestmark = pytest.mark.needs("openssl")


def asked(url: str, how: Limits = QUICK, **config: Any) -> Any:
    with session_of(url, how, **config) as session:
        return ask(session)


def refusal(url: str, how: Limits = QUICK, **config: Any) -> str:
    """What asking says when nobody can be trusted: one line, exit code 3."""
    with pytest.raises(SourceUnreachable) as refused:
        asked(url, how, **config)
    assert refused.value.exit_code == 3
    assert str(refused.value).startswith(f"Source {url} ")
    assert str(refused.value).isprintable()
    return str(refused.value)


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[Hostile]:
    with hostile_server(context) as server:
        server.script = lambda handler, _: handler.document(vector("1"))
        yield server


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return new_authority(tmp_path_factory.mktemp("other"), "other")


@pytest.mark.parametrize(
    ("shown", "tls", "said"),
    [
        (lambda own, _: own.issue("server"), {"ca_file": "own"}, None),
        # The certificate itself may be named, as with Prometheus, although nobody signed for it that is known.
        (lambda own, _: own.issue("server"), {"ca_file": "server"}, None),
        (lambda own, _: own.issue("server"), {"ca_file": "both"}, None),
        (lambda own, _: own.issue("server"), {}, "unable to get local issuer certificate"),
        # The bundled authorities do not count beside a named one, nor one named authority for another.
        (lambda _, other: other.issue("server"), {"ca_file": "own"}, "unable to get local issuer certificate"),
        (lambda _, other: other, {"ca_file": "own"}, "self-signed certificate.*`ca_file`"),
        (lambda own, _: own.issue("old", days=-1), {"ca_file": "own"}, "certificate has expired"),
        (lambda own, _: own.issue("bare", valid_for=""), {"ca_file": "own", "server_name": "localhost"}, "mismatch"),
        (lambda own, _: own.issue("named", valid_for="DNS:a.internal"), {"ca_file": "own"}, "mismatch.*`server_name`"),
        *(
            (
                lambda own, _: own.issue("named", valid_for="DNS:a.internal"),
                {"ca_file": "own", "server_name": name},
                said,
            )
            for name, said in (("a.internal", None), ("b.internal", "mismatch"))
        ),
    ],
)
def test_a_server_is_trusted_only_by_a_named_authority(
    tmp_path: Path,
    authority: Authority,
    other: Authority,
    monkeypatch: pytest.MonkeyPatch,
    shown: Callable[[Authority, Authority], Certificate],
    tls: dict[str, Any],
    said: str | None,
) -> None:
    """Nothing of it comes from the machine's environment, and no key is logged there."""
    certificate, both = shown(authority, other), tmp_path / "both.pem"
    both.write_text(other.file.read_text() + authority.file.read_text())
    files = {"own": authority.file, "server": certificate.file, "both": both}
    tls = {key: files.get(value, value) for key, value in tls.items()}
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(both))
    with serving(server_context(certificate)) as server:
        if said is None:
            assert asked(server.url, tls_config=tls) == vector("1")
        else:
            assert re.search(said, refusal(server.url, tls_config=tls))
    assert not (tmp_path / "keys").exists()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_where_it_is_demanded(
    authority: Authority, certificate: Certificate, client: Certificate, version: ssl.TLSVersion
) -> None:
    context, tls = server_context(certificate, clients=authority), {"ca_file": authority.file}
    context.minimum_version = context.maximum_version = version
    with serving(context) as server:
        shown = {**tls, "cert_file": client.file, "key_file": client.key}
        assert asked(server.url, tls_config=shown) == vector("1")
        assert re.search("handshake failure|certificate required.*`cert_file`", refusal(server.url, tls_config=tls))
        newest = {**shown, "min_version": "TLS13"}
        if version == ssl.TLSVersion.TLSv1_3:
            assert asked(server.url, tls_config=newest) == vector("1")
        else:
            assert re.search("protocol version.*`min_version`", refusal(server.url, tls_config=newest))


def test_a_server_without_tls_is_told(authority: Authority) -> None:
    with hostile_server() as server:
        said = refusal(server.url.replace("http", "https"), tls_config={"ca_file": authority.file})
        assert "plain http" in said


@pytest.mark.parametrize(
    ("key", "content", "named", "words"),
    [
        ("ca_file", None, "ca_file", "No such file"),
        ("ca_file", "geheim", "ca_file", "NO CERTIFICATE"),
        ("ca_file", "a FIFO", "ca_file", "it is no regular file"),
        ("key_file", None, "key_file", "No such file"),
        ("key_file", "geheim", "cert_file", "needs its own key in `key_file`"),
        ("key_file", "ENCRYPTED geheim", "cert_file", "without a passphrase"),
        ("key_file", "another's", "cert_file", "KEY VALUES MISMATCH"),
        ("cert_file", "geheim", "cert_file", "Certificates are in PEM form"),
    ],
)
def test_a_file_that_is_none_of_certificates_is_named(
    tmp_path: Path,
    authority: Authority,
    certificate: Certificate,
    client: Certificate,
    key: str,
    content: str | None,
    named: str,
    words: str,
) -> None:
    file = tmp_path / "file.pem"
    if content == "a FIFO":
        os.mkfifo(file)
    elif content is not None:
        file.write_text(certificate.key.read_text() if content == "another's" else content)
    files = {"ca_file": authority.file, "cert_file": client.file, "key_file": client.key, key: file}
    with pytest.raises(UsageError, match=rf"`tls_config\.{named}`, {files[named]}, .*{words}") as refused:
        session_of("https://127.0.0.1:1", tls_config=files)
    assert "geheim" not in str(refused.value)


def test_a_proxy_is_used_and_none_is_taken_from_the_environment(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.script = lambda handler, _: handler.document(vector("1"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with loopback_proxy() as proxy:
        assert asked(hostile.url, proxy_url=proxy.url) == vector("1")
        assert [(one.method, one.target) for one in proxy.seen] == [("POST", f"{hostile.url}/api/v1/query")]
        assert hostile.seen[0].fields == {"query": "up"}
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.delenv("NO_PROXY")
    assert asked(hostile.url) == vector("1")
    assert len(proxy.seen) == 1


def test_a_proxy_opens_a_tunnel_and_sees_no_credential(
    authority: Authority, certificate: Certificate, client: Certificate
) -> None:
    tls = {"ca_file": authority.file, "cert_file": client.file, "key_file": client.key}
    with serving(server_context(certificate, clients=authority)) as server, loopback_proxy() as proxy:
        config = {"proxy_url": proxy.url.replace("//", "//joe:wortwort@"), "tls_config": tls}
        assert asked(server.url, **config, authorization={"credentials": "geheimes"}) == vector("1")
        assert "self-signed" in refusal(server.url, proxy_url=proxy.url)
    through = proxy.seen[0]
    assert (through.method, through.target) == ("CONNECT", server.url.removeprefix("https://"))
    assert through.headers["Proxy-Authorization"] == "Basic am9lOndvcnR3b3J0"
    assert "Authorization" not in through.headers
    assert server.seen[0].headers["Authorization"] == "Bearer geheimes"
    assert "Proxy-Authorization" not in server.seen[0].headers


def drip(handler: Handler, _: object) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not handler.server.hostile.over.wait(0.02):
        handler.wfile.write(b"z")


def test_a_proxy_that_does_not_serve_is_named(certificate: Certificate) -> None:
    with serving(server_context(certificate)) as server:
        with loopback_proxy() as proxy:
            proxy.script = lambda handler, _: handler.send_error(407)
            said = refusal(server.url, proxy_url=proxy.url)
            assert re.search(rf"not reached through the proxy {proxy.url}: .*407", said)
            proxy.script = drip
            quick = QUICK.model_copy(update={"connect_timeout_seconds": 0.3, "retries": 0})
            assert "no answer in time" in refusal(server.url, quick, proxy_url=proxy.url)
        for url in (server.url, server.url.replace("https", "http")):
            said = refusal(url, proxy_url=proxy.url)
            assert re.search(rf"not reached through the proxy {proxy.url}: .*refused. Check it and `proxy_url`", said)
    assert server.seen == []
