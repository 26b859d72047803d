"""How a server is asked for: the file's schema and what of it is refused, what is sent, and no secret ever shown."""

from __future__ import annotations

import base64
import json
import logging
import os
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
from cloudxai_analysis.sources.http_config import Authorization, BasicAuth, HttpConfig, TlsConfig, read_http_config
from cloudxai_analysis.sources.session import ObservingSession

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
SECRET = "ge-heim/%w+rt"


def session_of(url: str, folder: Path, *, config: object = None, **settings: Any) -> ObservingSession:
    """A session whose file of configuration has this content."""
    if config is not None:
        settings["http_config_file"] = file_of(folder, config if isinstance(config, str) else json.dumps(config))
    credentials = settled_credentials(EnvironmentSettings.model_validate(settings), folder)
    return ObservingSession(url, limits=QUICK, credentials=credentials)


def sent(hostile: Hostile, folder: Path, **settings: Any) -> dict[str, str]:
    """The headers of one request."""
    hostile.script = lambda handler, _: handler.document(vector("1"))
    with session_of(hostile.url, folder, **settings) as session:
        ask(session)
    return hostile.seen[-1].headers


def file_of(folder: Path, content: str | bytes, name: str = "http.yml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("config", "value"),
    [
        ("bearer_token: abc", "Bearer abc"),
        ("bearer_token_file: one", "Bearer first"),
        ("basic_auth: {username: joe, password: 007}", basic("joe", "007")),
        ("basic_auth: {username: jürgen, password: 'pä:ß'} # told", basic("jürgen", "pä:ß")),
        ("basic_auth: {username: no, password: |\n  1e3\n}", None),
        ("basic_auth:\n  username: true\n  password: 'null'", basic("true", "null")),
        ("basic_auth: {username: joe}", basic("joe", "")),
        ("basic_auth: {username_file: one, password_file: sub/two}", basic("first", "second")),
        ("authorization: {credentials: abc}", "Bearer abc"),
        ("authorization: {credentials_file: sub/two}", "Bearer second"),
        ("authorization: {type: ' Token ', credentials: a b}", "Token a b"),
        ("follow_redirects: false\nenable_http2: no\nauthorization: {credentials: abc}", "Bearer abc"),
    ],
)
def test_what_the_file_says_is_sent(hostile: Hostile, tmp_path: Path, config: str, value: str | None) -> None:
    """Every value is its own text, and relative paths begin where the file lies."""
    file_of(tmp_path, " first\n", "access/one")
    file_of(tmp_path, "second\n", "access/sub/two")
    file_of(tmp_path, config, "access/http.yml")
    if value is None:
        with pytest.raises(UsageError, match="it is no YAML"):
            sent(hostile, tmp_path, http_config_file="access/http.yml")
    else:
        assert sent(hostile, tmp_path, http_config_file="access/http.yml")["Authorization"] == value


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        # Several lines of one name say the same as one line with commas (RFC 9110, 5.3).
        ("{X-Key: {values: [a], secrets: [b c], files: [one, two]}}", "X-Key", "a, b c, first, second"),
        ("{THANOS-TENANT: {values: [a]}}", "THANOS-TENANT", "a"),
        ("{X-Scope-OrgID: {files: [one]}}", "X-Scope-OrgID", "first"),
    ],
)
def test_headers_are_sent(hostile: Hostile, tmp_path: Path, config: str, header: str, value: str) -> None:
    file_of(tmp_path, "first\n", "one")
    file_of(tmp_path, "second\n", "two")
    file_of(tmp_path, f"http_headers: {config}")
    assert sent(hostile, tmp_path, http_config_file="http.yml")[header] == value


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a\nb", "holds no value of header X-Scope-OrgID: it has line breaks or foreign"),
        ("ü".encode(), "holds no value of header X-Scope-OrgID"),
        (b"a|b", "would read two tenants"),
    ],
)
def test_a_header_from_a_file_is_one_line_and_one_tenant(
    hostile: Hostile, tmp_path: Path, content: bytes, words: str
) -> None:
    file_of(tmp_path, content, "one")
    file_of(tmp_path, "http_headers: {X-Scope-OrgID: {files: [one]}}")
    with pytest.raises(UsageError, match=words):
        sent(hostile, tmp_path, http_config_file="http.yml")


def test_the_tenant_is_sent(hostile: Hostile, tmp_path: Path) -> None:
    assert sent(hostile, tmp_path, tenant="007")["X-Scope-OrgID"] == "007"
    assert "X-Scope-OrgID" not in sent(hostile, tmp_path)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        # What is not supported is named.
        ("basic_aut: {username: x}", r"unknown key 'basic_aut'\."),
        ("tls_config: {ca_fil: x}", r"unknown key 'tls_config\.ca_fil'\."),
        ("oauth2: {client_secret: geheim}", "unknown key 'oauth2'"),
        ("http_headers: {X: {value: [geheim]}}", r"unknown key 'http_headers\.X\.value'\."),
        ("http_headers: {X: {}}", "it needs 'values' or"),
        ('http_headers: {X: {values: ["geheim\\r\\nX-Other: 1"]}}', "line breaks or foreign characters"),
        ("http_headers: {X Key: {values: [geheim]}}", "cannot be one of a header"),
        ("http_headers: {X: {values: [a]}, x: {values: [b]}}", "is given twice"),
        ("http_headers: {Transfer-Encoding: {values: [chunked]}}", "is not to be set"),
        ("http_headers: {Authorization: {values: [geheim]}}", "is not to be set"),
        ("http_headers: {x-scope-orgid: {values: [a|b]}}", "would read two tenants"),
        ("http_headers: {X-Scope-OrgID: {values: [a, b]}}", "would read two tenants"),
        ("authorization: {credentials: geheim}\nbearer_token: x", "'authorization' and 'bearer_token' excl"),
        ("no_proxy: localhost", "unknown key 'no_proxy'"),
        ("tls_config: {key: geheim}", r"unknown key 'tls_config\.key'"),
        ("basic_auth: {username: x, password:geheim}", r"unknown key 'basic_auth\.password'\."),
        ("basic_auth: {geheim}", "unknown key 'basic_auth.…'"),
        # Prometheus' own rules of what excludes what, from Validate in its common/config.
        ("basic_auth: {username: a}\nauthorization: {credentials: geheim}", "'basic_auth' and 'authorization' excl"),
        ("basic_auth: {username: a, username_file: b}", "key 'basic_auth': 'username' and 'username_file' exclude"),
        ("basic_auth: {password: geheim, password_file: b}", "'password' and 'password_file' exclude each other"),
        ("authorization: {credentials: geheim, credentials_file: x}", "'credentials' and 'credentials_file'"),
        ("authorization: {type: bAsic, credentials: geheim}", "use 'basic_auth'"),
        ("authorization: {type: Bearer geheim, credentials: x}", "a type is one word"),
        ("tls_config: {cert_file: x}", "key 'tls_config': 'cert_file' alone is not enough"),
        ("tls_config: {key_file: x}", "key 'tls_config': 'key_file' alone is not enough"),
        ("tls_config: {min_version: TLS10}", "Input should be 'TLS12' or 'TLS13'"),
        ("tls_config: {insecure_skip_verify: geheim}", "valid boolean"),
        *(
            (f"proxy_url: '{url}'", "proxy_url': it is no URL like http://proxy:3128; proxies of other kinds")
            for url in ("https://joe:geheim@proxy", "socks5://geheim@proxy:1080", "http://proxy:geheim", "geheim:3128")
        ),
        ("proxy_url: http://proxy/?geheim", "it is no URL"),
        # What would be sent in vain.
        ("basic_auth: {}", "it needs 'username' or"),
        ("basic_auth: {username: joe, password: ~}", "'password' has no value"),
        ("authorization: {credentials: ''}", "'credentials' has no value"),
        ("authorization: {}", "needs 'credentials' or 'credentials_file'"),
        # Other forms.
        ("basic_auth: geheim", "key 'basic_auth': .*valid dictionary"),
        ("basic_auth: {password: [geheim]}", "key 'basic_auth.password': Input should be a valid string"),
        *((text, "valid dictionary") for text in ("- geheim", "geheim", "", "# nothing")),
        # YAML that says more than one thing, or is none.
        ("basic_auth: {username: a, password: geheim, password: geheim}", "line 1: a key is there twice"),
        ("a: 1\nb: 2\na: geheim", "line 3: a key is there twice"),
        ("[geheim]: x", "line 1: a key is no text"),
        ("~: geheim", "line 1: a key is no text"),
        ("basic_auth: &a {username: geheim}", "line 1: an anchor, alias or tag is not read"),
        ("a: 1\nb: *geheim", "line 2: an anchor, alias or tag is not read"),
        ("a: !!python/object:os.system geheim", "line 1: an anchor, alias or tag is not read"),
        ("a: b\n---\nc: geheim", "line 2: it is no YAML of one document"),
        ("a:\n  b: 1\n  password:geheim\n", "line 4: it is no YAML"),
        ("a: 'geheim", "it is no YAML"),
        (b"a: \xff\xfegeheim", "is no YAML"),
        (b"a: \x00geheim", "is no YAML"),
        ("[" * 100_000, "nested too deeply|is no YAML"),
        ("a: " + "x" * (1 << 20), "larger than 1,048,576 bytes"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_without_a_value(tmp_path: Path, config: str | bytes, words: str) -> None:
    file = file_of(tmp_path, config)
    with pytest.raises(UsageError) as refused:
        read_http_config(file)
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
    for key, table in {"basic_auth": BasicAuth, "authorization": Authorization, "tls_config": TlsConfig}.items():
        assert set(re.findall(r"`([a-z_]+)`", shown[key])) >= set(table.model_fields) - {"insecure_skip_verify"}


def test_a_certificate_is_never_left_unverified(tmp_path: Path) -> None:
    with pytest.raises(RefusedForSecurity, match=r"insecure_skip_verify.*ca_file") as refused:
        session_of("https://localhost", tmp_path, config="tls_config: {insecure_skip_verify: true}")
    assert refused.value.exit_code == 8


def test_what_is_new_in_a_file_holds_from_the_next_request_on(hostile: Hostile, tmp_path: Path) -> None:
    hostile.script = lambda handler, _: handler.document(vector("1"))
    config = {"basic_auth": {"username_file": "user", "password_file": "password"}}
    with session_of(hostile.url, tmp_path, config=config) as session:
        for turn in ("1", "2"):
            for name in ("user", "password"):
                file_of(tmp_path, name + turn, name)
            ask(session)
        (tmp_path / "password").unlink()
        with pytest.raises(UsageError, match=r"`basic_auth\.password_file`, .*password, cannot be read: No such file"):
            ask(session)
        assert session._credentials.hide("password1 password2") == "<secret> <secret>"
    assert [request.headers["Authorization"] for request in hostile.seen] == [
        basic(f"user{turn}", f"password{turn}") for turn in ("1", "2")
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("a FIFO", "cannot be read: it is no regular file"),
        ("a folder", "cannot be read: Is a directory"),
        (b"x" * 100_000, "is larger than 65,536 bytes"),
        (b"", "holds no credentials that can be sent"),
        (b"gehe im", "holds no credentials that can be sent"),
        (b"gehe\nim", "holds no credentials that can be sent"),
        (b"\xff\xfe", "cannot be read: it is no text"),
    ],
)
def test_a_file_that_cannot_be_sent_is_named_and_not_shown(
    hostile: Hostile, tmp_path: Path, content: bytes | str | None, words: str
) -> None:
    """At once: nobody ever writes into the FIFO."""
    file = tmp_path / "file"
    if content == "a FIFO":
        os.mkfifo(file)
    elif content == "a folder":
        file.mkdir()
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as refused:
        sent(hostile, tmp_path, config={"authorization": {"credentials_file": "file"}})
    assert str(file) in str(refused.value)
    assert "gehe" not in str(refused.value)
    assert hostile.seen == []


BEARING: dict[str, dict[str, Any]] = {
    "basic_auth.password": {"basic_auth": {"username": "joe", "password": SECRET}},
    "basic_auth.username": {"basic_auth": {"username": SECRET}},
    "basic_auth.password_file": {"basic_auth": {"username": "joe", "password_file": "secret"}},
    "authorization.credentials": {"authorization": {"credentials": SECRET}},
    "authorization.credentials_file": {"authorization": {"type": "Token", "credentials_file": "secret"}},
}


def echo(handler: Handler, _: Mapping[str, str]) -> None:
    """Repeat every header, and what is behind Basic, as an unkind server may."""
    lines = list(handler.headers.values())
    lines += [base64.b64decode(line.split()[1]).decode() for line in lines if line.startswith("Basic ")]
    handler.document({"status": "error", "errorType": "bad_data", "error": " ; ".join(lines)}, 400)


def echo_as_a_label(handler: Handler, _: Mapping[str, str]) -> None:
    """A series of which a label is what was sent, in pieces that end within it."""
    body = json.dumps({"status": "success", "data": [{"a": handler.headers["Authorization"]}]}).encode()
    handler.head(Content_Length=str(len(body)))
    for at in range(0, len(body), 7):
        handler.wfile.write(body[at : at + 7])
        handler.wfile.flush()


@pytest.mark.parametrize("key", BEARING)
def test_no_secret_is_ever_shown_or_kept(
    hostile: Hostile, tmp_path: Path, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file_of(tmp_path, SECRET + "\n", "secret")
    configured = HttpConfig.model_validate(BEARING[key], context=tmp_path)
    with session_of(hostile.url, tmp_path, config=BEARING[key]) as session:
        hostile.script = echo
        with pytest.raises(CloudxaiError) as told:
            ask(session)
        hostile.script = echo_as_a_label
        with pytest.raises(RefusedForSecurity, match="repeats the credentials") as kept:
            session.ask("Asked for labels", "series", {}, read=lambda data: data)
        shown = ["".join(traceback.format_exception(one.value)) for one in (told, kept)]
        shown += [caplog.text, repr(vars(session)), repr(configured), repr(session._credentials)]
        shown += [str(configured.model_dump()), configured.model_dump_json()]
    with (
        pytest.raises(CloudxaiError) as told,
        session_of("http://127.0.0.1:1", tmp_path, config=BEARING[key]) as gone,
    ):
        ask(gone)
    shown.append("".join(traceback.format_exception(told.value)))
    carried = hostile.seen[0].headers["Authorization"]
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


@pytest.mark.parametrize("tenant", ["beta", "007", "a-b_c.d!e*f'(g)", "x" * 150, "true", "..."])
def test_a_tenant_of_mimir_is_a_tenant(tenant: str) -> None:
    assert EnvironmentSettings(source="http://127.0.0.1", tenant=tenant).tenant == tenant


@pytest.mark.parametrize(
    "tenant", ["", ".", "..", "__mimir_cluster", "x" * 151, "a b", "a/b", "a\\b", "é", "a\n", "a,b", "\u0660", "a|b"]
)
def test_anything_else_is_no_tenant(tenant: str) -> None:
    said = "would read two tenants" if "|" in tenant else "a tenant has 1 to 150 letters"
    with pytest.raises(ValueError, match=said):
        EnvironmentSettings(source="http://127.0.0.1", tenant=tenant)
