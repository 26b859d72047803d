"""How a server is asked for: from the file or the table, read when used, and no secret shown by anything."""

from __future__ import annotations

import base64
import json
import logging
import re
import tomllib
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hostile_server import Handler, Hostile, vector
from loopback_proxy import loopback_proxy
from readers import QUICK, ask

from cloudxai_analysis.ground.errors import CloudxaiError, RefusedForSecurity, UsageError
from cloudxai_analysis.platform.contract import Metric
from cloudxai_analysis.platform.settings import EnvironmentSettings
from cloudxai_analysis.sources.credentials import settled_credentials
from cloudxai_analysis.sources.http_config import (
    Authorization,
    BasicAuth,
    Header,
    HttpConfig,
    TlsConfig,
    read_http_config,
)
from cloudxai_analysis.sources.session import ObservingSession

HOWTO = Path(__file__).parents[2] / "docs" / "howto"


def session_of(url: str, folder: Path, *, config: object = None, **settings: Any) -> ObservingSession:
    """A session whose file of configuration has this content."""
    if config is not None:
        settings["http_config_file"] = file_of(folder, json.dumps(config))
    credentials = settled_credentials(EnvironmentSettings.model_validate(settings), folder)
    return ObservingSession(url, limits=QUICK, credentials=credentials)


def sent(hostile: Hostile, folder: Path, **settings: Any) -> dict[str, str]:
    """The headers of one request."""
    hostile.script = lambda handler, _: handler.document(vector("1"))
    with session_of(hostile.url, folder, **settings) as session:
        ask(session)
    return hostile.seen[-1].headers


def file_of(folder: Path, content: str, name: str = "http.yml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content, encoding="utf-8")
    return file


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ("basic_auth: {username: joe, password: 007}", "Authorization", basic("joe", "007")),
        ("basic_auth: {username: jürgen, password: 'pä:ß'}", "Authorization", basic("jürgen", "pä:ß")),
        ("basic_auth: {username: joe}", "Authorization", basic("joe", "")),
        ("basic_auth: {username_file: one, password_file: sub/two}", "Authorization", basic("first", "second")),
        ("bearer_token: abc", "Authorization", "Bearer abc"),
        ("bearer_token_file: one", "Authorization", "Bearer first"),
        ("authorization: {credentials: abc}", "Authorization", "Bearer abc"),
        ("authorization: {credentials_file: sub/two}", "Authorization", "Bearer second"),
        ("authorization: {type: ' Token ', credentials: a b}", "Authorization", "Token a b"),
        (
            "http_headers: {X-Key: {values: [a], secrets: [b c], files: [one, sub/two]}}",
            "X-Key",
            "a, b c, first, second",
        ),
        ("http_headers: {THANOS-TENANT: {values: [a]}}", "THANOS-TENANT", "a"),
        ("http_headers: {X-Scope-OrgID: {files: [one]}}", "X-Scope-OrgID", "first"),
        ("follow_redirects: false\nenable_http2: no\nbearer_token: abc", "Authorization", "Bearer abc"),
    ],
)
def test_what_the_file_says_is_sent(hostile: Hostile, tmp_path: Path, config: str, header: str, value: str) -> None:
    file_of(tmp_path, " first\n", "access/one")
    file_of(tmp_path, "second\n", "access/sub/two")
    file_of(tmp_path, config, "access/http.yml")
    assert sent(hostile, tmp_path, http_config_file="access/http.yml")[header] == value


def test_the_tenant_is_sent(hostile: Hostile, tmp_path: Path) -> None:
    assert sent(hostile, tmp_path, tenant="007")["X-Scope-OrgID"] == "007"
    assert "X-Scope-OrgID" not in sent(hostile, tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("basic_aut: {username: x}", r"unknown key 'basic_aut'\."),
        ("tls_config: {ca_fil: x}", r"unknown key 'tls_config\.ca_fil'\."),
        ("tls_config: {next_protos: [h2]}", r"unknown key 'tls_config\.next_protos'\."),
        ("http_headers: {X: {value: [geheim]}}", r"unknown key 'http_headers\.X\.value'\."),
        ("basic_auth: {username: x, password:geheim}", r"unknown key 'basic_auth\.password'\."),
        ("basic_auth: {geheim}", "unknown key 'basic_auth.…'"),
        ("basic_auth: {username: a, password: geheim, password: geheim}", "line 1: a key is there twice"),
        ("basic_auth: {username: a, username_file: b}", "key 'basic_auth': 'username' and 'username_file' exclude"),
        ("oauth2: {client_secret: geheim}", "unknown key 'oauth2'"),
        ("- geheim", "valid dictionary"),
        ("geheim", "valid dictionary"),
        ("", "valid dictionary"),
        ("basic_auth: &a {username: geheim}", "line 1: an anchor, alias or tag is not read"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_without_a_value(tmp_path: Path, config: str, words: str) -> None:
    file = file_of(tmp_path, config)
    with pytest.raises(UsageError) as refused:
        session_of("http://localhost", tmp_path, http_config_file="http.yml")
    said = str(refused.value)
    assert re.search(words, said), said
    assert str(file) in said
    assert said.isprintable()
    assert "geheim" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize("page", ["configure-an-environment.md", "point-it-at-a-server.md"])
def test_examples_in_the_docs_are_taken(tmp_path: Path, page: str) -> None:
    text = HOWTO.joinpath(page).read_text(encoding="utf-8")
    examples = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert examples
    for example in examples:
        assert read_http_config(file_of(tmp_path, example)) != HttpConfig()
    for example in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        tables = tomllib.loads(example)
        assert tables.keys() in ({"environments"}, {"metrics"})
        for table in tables.get("environments", {}).values():
            assert EnvironmentSettings.model_validate(table) != EnvironmentSettings()
        for table in tables.get("metrics", {}).values():
            assert Metric.model_validate(table).scope == "rules"


def test_keys_in_the_docs_are_the_schemas() -> None:
    text = HOWTO.joinpath("configure-an-environment.md").read_text(encoding="utf-8")
    section = text[text.index("## Credentials, TLS and headers") :]
    rows = re.findall(r"^\| (`.*?) \| (.*) \|$", section, re.MULTILINE)
    shown = {key: meaning for keys, meaning in rows for key in re.findall(r"`(\w+)`", keys)}
    assert set(shown) == set(HttpConfig.model_fields)
    tables = {"basic_auth": BasicAuth, "authorization": Authorization, "tls_config": TlsConfig, "http_headers": Header}
    for key, table in tables.items():
        assert set(re.findall(r"`([a-z_]+)`", shown[key])) >= set(table.model_fields) - {"insecure_skip_verify"}
    for key in (
        "oauth2",
        "sigv4",
        "no_proxy",
        "proxy_connect_header",
        "proxy_from_environment",
        "insecure_skip_verify",
    ):
        assert key not in HttpConfig.model_fields
        assert f"`{key}" in section


def test_a_certificate_is_never_left_unverified(tmp_path: Path) -> None:
    file_of(tmp_path, "tls_config: {insecure_skip_verify: true}")
    with pytest.raises(RefusedForSecurity, match=r"insecure_skip_verify.*ca_file") as refused:
        session_of("https://localhost", tmp_path, http_config_file="http.yml")
    assert refused.value.exit_code == 8


def test_a_tenant_is_given_once_and_is_one(hostile: Hostile, tmp_path: Path) -> None:
    table = {"http_headers": {"x-scope-orgid": {"files": ["tenant"]}}}
    with pytest.raises(UsageError, match=r"has a `tenant`, and X-Scope-OrgID in `http_headers`. Keep one"):
        session_of("http://localhost", tmp_path, tenant="a", config=table)
    file_of(tmp_path, "a|b", "tenant")
    with pytest.raises(UsageError, match="would read two tenants"):
        sent(hostile, tmp_path, config=table)
    assert hostile.seen == []


def test_what_is_new_in_a_file_holds_from_the_next_request_on(hostile: Hostile, tmp_path: Path) -> None:
    hostile.script = lambda handler, _: handler.document(vector("1"))
    config = {
        "basic_auth": {"username_file": "user", "password_file": "password"},
        "http_headers": {"X-Key": {"files": ["key"]}},
    }
    names = ("user", "password", "key")
    with session_of(hostile.url, tmp_path, config=config) as session:
        for turn in ("1", "2"):
            for name in names:
                file_of(tmp_path, name + turn, name)
            ask(session)
        (tmp_path / "key").unlink()
        with pytest.raises(UsageError, match=r"`http_headers\.X-Key\.files`, .*key, cannot be read: No such file"):
            ask(session)
        assert session._credentials.hide("password1 password2") == "<secret> <secret>"
    seen = [(request.headers["Authorization"], request.headers["X-Key"]) for request in hostile.seen]
    assert seen == [(basic(f"user{turn}", f"password{turn}"), f"key{turn}") for turn in ("1", "2")]


KEY, TOKEN = {"http_headers": {"X-Key": {"files": ["file"]}}}, {"bearer_token_file": "file"}
CREDENTIALS = {"authorization": {"credentials_file": "file"}}


@pytest.mark.parametrize(
    ("config", "content", "words"),
    [
        (KEY, b"a\nb", "holds no value of header X-Key: it has line breaks or foreign"),
        (KEY, "ü".encode(), "holds no value of header X-Key"),
        (KEY, b"a\x00b", "holds no value of header X-Key"),
        (KEY, None, r"`http_headers\.X-Key\.files`, .*file, cannot be read: No such file"),
        (TOKEN, b"x" * 100_000, "is larger than 65,536 bytes"),
        *((config, None, "cannot be read: No such file") for config in (TOKEN, CREDENTIALS)),
        *((config, b"", "holds no credentials that can be sent") for config in (TOKEN, CREDENTIALS)),
        *((config, b"gehe im", "holds no credentials that can be sent") for config in (TOKEN, CREDENTIALS)),
        *((config, b"\xff\xfe", "cannot be read: it is no text") for config in (TOKEN, CREDENTIALS)),
    ],
)
def test_a_file_that_cannot_be_sent_is_named_and_not_shown(
    hostile: Hostile, tmp_path: Path, config: dict[str, Any], content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match=words) as refused:
        sent(hostile, tmp_path, config=config)
    assert str(tmp_path / "file") in str(refused.value)
    assert "gehe" not in str(refused.value)
    assert hostile.seen == []


SECRET = "ge-heim/%w+rt"
BEARING = {
    "basic_auth.password": {"basic_auth": {"username": "joe", "password": SECRET}},
    "basic_auth.username": {"basic_auth": {"username": SECRET}},
    "basic_auth.password_file": {"basic_auth": {"username": "joe", "password_file": "secret"}},
    "basic_auth.username_file": {"basic_auth": {"username_file": "secret", "password": "x"}},
    "authorization.credentials": {"authorization": {"credentials": SECRET}},
    "authorization.credentials_file": {"authorization": {"type": "Token", "credentials_file": "secret"}},
    "bearer_token": {"bearer_token": SECRET},
    "bearer_token_file": {"bearer_token_file": "secret"},
    "http_headers.values": {"http_headers": {"X-Key": {"values": [SECRET]}}},
    "http_headers.secrets": {"http_headers": {"X-Key": {"secrets": [SECRET]}}},
    "http_headers.files": {"http_headers": {"X-Key": {"files": ["secret"]}}},
}


def echo(handler: Handler, _: Mapping[str, str]) -> None:
    """Repeat every header, and what is behind Basic, as an unkind server may."""
    lines = list(handler.headers.values())
    lines += [base64.b64decode(line.split()[1]).decode() for line in lines if line.startswith("Basic ")]
    handler.document({"status": "error", "errorType": "bad_data", "error": " ; ".join(lines)}, 400)


@pytest.mark.parametrize("key", BEARING)
def test_no_secret_is_ever_shown(hostile: Hostile, tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    file_of(tmp_path, SECRET + "\n", "secret")
    configured = HttpConfig.model_validate(BEARING[key], context=tmp_path)
    hostile.script = echo
    with session_of(hostile.url, tmp_path, config=BEARING[key]) as session:
        with pytest.raises(CloudxaiError) as told:
            ask(session)
        request = hostile.seen[-1].headers
        shown = ["".join(traceback.format_exception(told.value)), caplog.text, repr(vars(session)), repr(configured)]
        shown += [str(configured.model_dump()), configured.model_dump_json(), repr(session._credentials)]
    with (
        pytest.raises(CloudxaiError) as told,
        session_of("http://127.0.0.1:1", tmp_path, config=BEARING[key]) as gone,
    ):
        ask(gone)
    shown.append("".join(traceback.format_exception(told.value)))
    carried = request.get("Authorization", request.get("X-Key", ""))
    assert SECRET in carried or SECRET in base64.b64decode(carried.split()[1]).decode()
    assert "<secret>" in shown[0]
    for text in shown:
        for form in (SECRET, carried.split()[-1], "ge-heim%2F%25w%2Brt"):
            assert form not in text


def test_the_proxys_password_is_not_shown_either(
    hostile: Hostile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hostile.script = lambda handler, _: handler.document(vector("1"))
    with loopback_proxy() as proxy:
        table = {"proxy_url": f"http://joe:ge-heim%2Fwort@127.0.0.1:{proxy.port}"}
        with session_of(hostile.url, tmp_path, config=table) as session:
            ask(session)
            shown = repr(vars(session)) + repr(vars(session._adapter)) + repr(session._adapter.proxy_manager)
            assert session._credentials.hide("ge-heim/wort ge-heim%2Fwort") == "<secret> <secret>"
    with pytest.raises(CloudxaiError) as told, session_of(hostile.url, tmp_path, config=table) as gone:
        ask(gone)
    shown += "".join(traceback.format_exception(told.value)) + caplog.text
    assert proxy.seen[0][2]["Proxy-Authorization"] == basic("joe", "ge-heim/wort")
    assert "ge-heim" not in shown
    assert basic("joe", "ge-heim/wort").split()[1] not in shown
