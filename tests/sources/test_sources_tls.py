"""TLS and proxies with real servers: who is trusted, what is shown, and what a failure says."""

from __future__ import annotations

import re
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority, Certificate, new_authority, server_context
from hostile_server import Hostile, hostile_server, vector
from loopback_proxy import loopback_proxy
from readers import QUICK, ask, session_of

from cloudxai_analysis.ground.errors import CloudxaiError, SourceUnreachable, UsageError
from cloudxai_analysis.platform.settings import Limits

pytestmark = pytest.mark.needs("openssl")


def asked(url: str, **tls: Any) -> Any:
    with session_of(url, tls_config=tls) as session:
        return ask(session)


def refusal(url: str, **tls: Any) -> str:
    """What asking says when nobody can be trusted: one line, exit code 3."""
    with pytest.raises(SourceUnreachable) as refused:
        asked(url, **tls)
    assert refused.value.exit_code == 3
    assert str(refused.value).startswith(f"Source {url} ")
    assert str(refused.value).isprintable()
    return str(refused.value)


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[Hostile]:
    with hostile_server(context) as server:
        server.script = lambda handler, _: handler.document(vector("1"))
        yield server


def shown_to(client: Certificate) -> dict[str, Path]:
    return {"cert_file": client.file, "key_file": client.key}


def test_an_authority_is_trusted_only_when_it_is_named(authority: Authority, certificate: Certificate) -> None:
    with serving(server_context(certificate)) as server:
        said = refusal(server.url)
        assert re.search(r"unable to get local issuer certificate.* name its authority in `tls_config.ca_file`", said)
        assert asked(server.url, ca_file=authority.file) == vector("1")
        # The certificate itself may be named, as with Prometheus, although nobody signed for it that is known.
        assert asked(server.url, ca_file=certificate.file) == vector("1")


def test_the_bundled_authorities_do_not_count_beside_a_named_one(tmp_path: Path, authority: Authority) -> None:
    other = new_authority(tmp_path, "other")
    with serving(server_context(other.issue("server"))) as server:
        assert "unable to get local issuer" in refusal(server.url, ca_file=authority.file)
        both = tmp_path / "both.pem"
        both.write_text(authority.file.read_text() + other.file.read_text())
        assert asked(server.url, ca_file=both) == vector("1")


def test_what_is_wrong_with_a_certificate_is_told(tmp_path: Path, authority: Authority) -> None:
    rows = [
        (new_authority(tmp_path), {}, "self-signed certificate.*`tls_config.ca_file`"),
        (authority.issue("old", days=-1), {}, "certificate has expired.*renewed"),
        (authority.issue("nameless", valid_for=""), {"server_name": "localhost"}, "mismatch"),
    ]
    for shown, tls, words in rows:
        with serving(server_context(shown)) as server:
            said = refusal(server.url, ca_file=authority.file, **tls)
            assert re.search(words, said), said
    with serving(server_context(authority.issue("named", valid_for="DNS:prometheus.internal"))) as server:
        assert re.search("mismatch.*`tls_config.server_name`", refusal(server.url, ca_file=authority.file))
        assert "mismatch" in refusal(server.url, ca_file=authority.file, server_name="other.internal")
        assert asked(server.url, ca_file=authority.file, server_name="prometheus.internal") == vector("1")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_certificate_is_shown_where_it_is_demanded(
    authority: Authority, certificate: Certificate, client: Certificate, version: ssl.TLSVersion
) -> None:
    context = server_context(certificate, clients=authority)
    context.minimum_version = context.maximum_version = version
    with serving(context) as server:
        assert asked(server.url, ca_file=authority.file, **shown_to(client)) == vector("1")
        assert "client certificate" in refusal(server.url, ca_file=authority.file)


def test_files_of_certificates_are_read_anew_when_they_change(
    tmp_path: Path, authority: Authority, certificate: Certificate, client: Certificate
) -> None:
    stranger = new_authority(tmp_path, "stranger").issue("client")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca_file", "cert_file", "key_file")}

    def put(shown: Certificate, trusted: Path) -> None:
        for name, source in {"ca_file": trusted, "cert_file": shown.file, "key_file": shown.key}.items():
            shutil.copyfile(source, files[name])

    put(client, authority.file)
    with (
        serving(server_context(certificate, clients=authority)) as server,
        session_of(server.url, tls_config=files) as session,
    ):
        assert ask(session) == vector("1")
        put(stranger, authority.file)
        with pytest.raises(SourceUnreachable, match=r"unknown ca.*authority of the client certificate in `tls_config"):
            ask(session)
        put(client, stranger.file)
        with pytest.raises(SourceUnreachable, match="verify failed"):
            ask(session)
        put(client, authority.file)
        assert ask(session) == vector("1")
        files["key_file"].unlink()
        with pytest.raises(
            UsageError, match=r"cannot be asked: `tls_config\.key_file`, .* cannot be read: No such file"
        ):
            ask(session)


def test_an_older_version_of_tls_is_refused(authority: Authority, certificate: Certificate) -> None:
    context = server_context(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(context) as server:
        assert asked(server.url, ca_file=authority.file) == vector("1")
        said = refusal(server.url, ca_file=authority.file, min_version="TLS13")
        assert re.search("protocol.*another version of TLS: see `tls_config.min_version`", said)


def test_a_server_without_tls_is_told(authority: Authority) -> None:
    with hostile_server() as server:
        assert "plain http" in refusal(server.url.replace("http", "https"), ca_file=authority.file)


@pytest.mark.parametrize(
    ("key", "content", "words"),
    [
        ("ca_file", None, r"`tls_config\.ca_file`, .* cannot be read: No such file"),
        ("ca_file", "", r"`tls_config\.ca_file`, .* holds no certificate in PEM form"),
        ("ca_file", "geheim", r"`tls_config\.ca_file`, .* holds no certificate in PEM form"),
        ("key_file", None, r"`tls_config\.key_file`, .* cannot be read"),
        ("key_file", "geheim", r"`tls_config\.cert_file`, .* and `tls_config\.key_file`, .* are no certificate and"),
        ("key_file", "ENCRYPTED geheim", r"`tls_config\.key_file`, .* is encrypted"),
        ("cert_file", "geheim", r"`tls_config\.cert_file`, .* are no certificate and its key"),
    ],
)
def test_a_file_that_is_none_of_certificates_is_named(
    tmp_path: Path, authority: Authority, client: Certificate, key: str, content: str | None, words: str
) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=words) as refused:
        session_of("https://127.0.0.1:1", tls_config={"ca_file": authority.file, **shown_to(client), key: file})
    assert "geheim" not in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_key_of_another_certificate_is_named(
    authority: Authority, certificate: Certificate, client: Certificate
) -> None:
    with pytest.raises(UsageError, match=r"are no certificate and its key \(key values mismatch\)"):
        session_of("https://127.0.0.1:1", tls_config={"cert_file": client.file, "key_file": certificate.key})


def test_a_key_log_is_never_written(
    tmp_path: Path, authority: Authority, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    with serving(server_context(certificate)) as server:
        assert "local issuer" in refusal(server.url)
        assert asked(server.url, ca_file=authority.file) == vector("1")
    assert not (tmp_path / "keys").exists()


def test_a_proxy_is_used(hostile: Hostile) -> None:
    hostile.script = lambda handler, _: handler.document(vector("1"))
    with loopback_proxy() as proxy:
        with session_of(hostile.url, proxy_url=proxy.url) as session:
            assert ask(session) == vector("1")
        assert [(method, target) for method, target, _ in proxy.seen] == [("POST", f"{hostile.url}/api/v1/query")]
        assert hostile.seen[0].fields == {"query": "up"}


def test_a_proxy_opens_a_tunnel_and_sees_no_credential(
    authority: Authority, certificate: Certificate, client: Certificate
) -> None:
    tls = {"ca_file": authority.file, **shown_to(client)}
    with serving(server_context(certificate, clients=authority)) as server, loopback_proxy() as proxy:
        config = {"proxy_url": f"http://joe:wort@127.0.0.1:{proxy.port}", "tls_config": tls}
        config["authorization"] = {"credentials": "geheim"}
        with session_of(server.url, **config) as session:
            assert ask(session) == vector("1")
        with (
            pytest.raises(SourceUnreachable, match="verify failed"),
            session_of(server.url, proxy_url=proxy.url) as other,
        ):
            ask(other)
    method, target, headers = proxy.seen[0]
    assert (method, target) == ("CONNECT", server.url.removeprefix("https://"))
    assert headers["Proxy-Authorization"] == "Basic am9lOndvcnQ="
    assert "Authorization" not in headers
    assert server.seen[0].headers["Authorization"] == "Bearer geheim"
    assert "Proxy-Authorization" not in server.seen[0].headers


def test_a_proxy_that_does_not_serve_is_named(certificate: Certificate) -> None:
    def said(url: str, how: Limits = QUICK) -> str:
        with pytest.raises(SourceUnreachable) as refused, session_of(url, how, proxy_url=proxy.url) as session:
            ask(session)
        return str(refused.value)

    with serving(server_context(certificate)) as server:
        with loopback_proxy() as proxy:
            proxy.refuses = True
            assert re.search(rf"not reached through the proxy {proxy.url}: .*407", said(server.url))
            proxy.refuses, proxy.drips = False, True
            quick = QUICK.model_copy(update={"connect_timeout_seconds": 0.3, "retries": 0})
            assert re.search(rf"through the proxy {proxy.url}: it gave no answer in time", said(server.url, quick))
        for url in (server.url, server.url.replace("https", "http")):
            assert re.search(rf"not reached through the proxy {proxy.url}: .*refused. Check the proxy", said(url))
    assert server.seen == []


def test_no_proxy_is_taken_from_the_environment(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile.script = lambda handler, _: handler.document(vector("1"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with session_of(hostile.url) as session:
        assert ask(session) == vector("1")
    with (
        pytest.raises(CloudxaiError, match="through the proxy"),
        session_of(hostile.url, proxy_url="http://127.0.0.1:1") as session,
    ):
        ask(session)
