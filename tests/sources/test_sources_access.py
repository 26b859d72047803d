"""How a server is asked for: its URL, the file of access and what of it is refused, and no secret ever shown."""

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
from hostile_server import Handler, Hostile, loopback_proxy, vector
from readers import QUICK, ask

from cloudxai_analysis.ground.errors import CloudxaiError, RefusedForSecurity, UsageError
from cloudxai_analysis.platform.contract import Metric
from cloudxai_analysis.platform.settings import EnvironmentSettings
from cloudxai_analysis.sources.credentials import HttpConfig, read_http_config, settled_credentials
from cloudxai_analysis.sources.open import open_source
from cloudxai_analysis.sources.server import ServerSource
from cloudxai_analysis.sources.session import ObservingSession

HOWTO = Path(__file__).parents[2] / "docs" / "howto"
SECRET = "ge-heim/%w+rt"


def file_of(folder: Path, content: object, name: str = "http.yml") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str | bytes) else json.dumps(content)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def session_of(url: str, folder: Path, config: object = None, **settings: Any) -> ObservingSession:
    """A session whose file of access has this content."""
    if config is not None:
        settings["http_config_file"] = file_of(folder / "access", config)
    credentials = settled_credentials(EnvironmentSettings.model_validate(settings), folder)
    return ObservingSession(url, limits=QUICK, credentials=credentials)


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("HTTP://LocalHost:9090/", "http://localhost:9090"),
        ("http://[::1]:9090", "http://[::1]:9090"),
        ("https://joe%40acme:p%2Fw@example.org/prom/", "https://example.org/prom"),
        ("http://müller.example:9090", "http://xn--mller-kva.example:9090"),
    ],
)
def test_a_url_is_a_server_named_without_credentials(url: str, name: str) -> None:
    source = open_source(url, limits=QUICK, settings=EnvironmentSettings())
    assert isinstance(source, ServerSource)
    assert source.name == name


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:9090", "file:///etc/passwd", "ftp://joe:geheim@host", "http://", "http://joe:geheim@"),
        *("http://joe:ge/heim@host:9090", "http://host:geheim", "http://host:99999999", "http://[::1"),
        *(
            "http://host:9090?token=geheim",
            "http://host/#geheim",
            "http://ho st",
            "http://host/a\nb",
            "http://*.geheim",
        ),
    ],
)
def test_anything_else_is_refused_in_one_line_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_source(url, limits=QUICK, settings=EnvironmentSettings())
    assert not re.search("geheim|heim@|\n", str(refused.value))


@pytest.mark.parametrize(
    ("config", "header", "value"),
    [
        ("authorization: {credentials_file: one}", "Authorization", "Bearer first-word"),
        ("bearer_token: abcdefgh", "Authorization", "Bearer abcdefgh"),
        ("bearer_token_file: one", "Authorization", "Bearer first-word"),
        ("basic_auth: {username: joe, password: 00700700}", "Authorization", basic("joe", "00700700")),
        ("basic_auth: {username: jürgen, password: 'pä:ßpä:ß'} # told", "Authorization", basic("jürgen", "pä:ßpä:ß")),
        ("http_headers:\n  X-Key:\n    values: [true, 'null']", "X-Key", "true, null"),
        ("basic_auth: {username: joe, password: ~}", "Authorization", basic("joe", "")),
        (
            "basic_auth: {username_file: one, password_file: sub/two}",
            "Authorization",
            basic("first-word", "second-word"),
        ),
        ("authorization: {type: Token, credentials: a b c d e}", "Authorization", "Token a b c d e"),
        (
            "follow_redirects: false\nenable_http2: no\nauthorization: {credentials: abcdefgh}",
            "Authorization",
            "Bearer abcdefgh",
        ),
        (
            "http_headers: {X-Key: {values: [a], secrets: [b c d e f], files: [one, sub/two]}}",
            "X-Key",
            "a, b c d e f, first-word, second-word",
        ),
        ("http_headers: {X-Scope-OrgID: {files: [one]}}", "X-Scope-OrgID", "first-word"),
        ({}, "X-Scope-OrgID", "007"),
    ],
)
def test_what_is_configured_is_sent(hostile: Hostile, tmp_path: Path, config: str, header: str, value: str) -> None:
    """Every value is its own text, and relative paths begin where the file lies."""
    hostile.script = lambda handler, _: handler.document(vector("1"))
    file_of(tmp_path, " first-word\n", "access/one")
    file_of(tmp_path, "second-word\n", "access/sub/two")
    with session_of(hostile.url, tmp_path, config, **({} if config else {"tenant": "007"})) as session:
        ask(session)
    assert hostile.seen[-1].headers[header] == value


@pytest.mark.parametrize(
    ("config", "words"),
    [
        # What is not supported is named.
        ("basic_aut: {username: x}", r"unknown key 'basic_aut'\."),
        ("oauth2: {client_secret: geheim}", "unknown key 'oauth2'"),
        ("tls_config: {key: geheim}", r"unknown key 'tls_config\.key'"),
        ("http_headers: {X: {value: [geheim]}}", r"unknown key 'http_headers\.X\.value'\."),
        ("basic_auth: {username: x, password:geheim}", r"unknown key 'basic_auth\.…'\."),
        # Prometheus' own rules of what excludes what, from Validate in its common/config.
        ("authorization: {credentials: geheim}\nbearer_token: x", "'authorization' and 'bearer_token' exclude each"),
        ("bearer_token: geheim\nbearer_token_file: x", "'bearer_token_file' and 'bearer_token' exclude each other"),
        ("basic_auth: {username: a}\nauthorization: {credentials: geheim}", "'basic_auth' and 'authorization' excl"),
        ("basic_auth: {password: geheim, password_file: b}", "'password' and 'password_file' exclude each other"),
        ("authorization: {type: Bearer geheim, credentials: x}", "key 'authorization.type'"),
        ("tls_config: {min_version: TLS10}", "Input should be 'TLS12' or 'TLS13'"),
        ("tls_config: {insecure_skip_verify: geheim}", "valid boolean"),
        *(
            (f"proxy_url: '{url}'", "proxy_url': it is no URL like http://proxy:3128; proxies of other kinds")
            for url in (
                "https://joe:geheim@proxy",
                "socks5://geheim@p:1080",
                "http://p:geheim",
                "http://p/?geheim",
                ":",
            )
        ),
        # Other forms.
        ("basic_auth: geheim", "key 'basic_auth': .*valid dictionary"),
        ("basic_auth: {password: [geheim]}", "key 'basic_auth.password': Input should be a valid string"),
        *((text, "valid dictionary") for text in ("- geheim", "geheim", "", "# nothing")),
        # YAML that says more than one thing, or is none.
        ("basic_auth: {username: a, password: geheim, password: geheim}", "line 1: a key is there twice"),
        ("a: 1\nb: 2\na: geheim", "line 3: a key is there twice"),
        ("[geheim]: x", "line 1: a key is there twice, or is no text"),
        ("basic_auth: &a {username: geheim}", "line 1: an anchor, alias or tag is not read"),
        ("a: 1\nb: *geheim", "line 2: an anchor, alias or tag is not read"),
        ("a: !!python/object:os.system geheim", "line 1: an anchor, alias or tag is not read"),
        ("a: b\n---\nc: geheim", "line 2: it is more than one document"),
        ("a:\n  b: 1\n  password:geheim\n", "line 4: it is no YAML"),
        (b"a: \xff\xfegeheim", "is no YAML"),
        (b"a: \x00geheim", "is no YAML"),
        ("[" * 100_000, "nested too deeply|is no YAML"),
        ("a: " + "x" * (1 << 20), "larger than 1,048,576 bytes"),
    ],
)
def test_a_mistake_in_the_file_is_one_line_without_a_value(tmp_path: Path, config: str | bytes, words: str) -> None:
    file = file_of(tmp_path, config)
    with pytest.raises(UsageError, match=words) as refused:
        read_http_config(file)
    assert str(file) in str(refused.value)
    assert str(refused.value).isprintable()
    assert "geheim" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("config", "content", "words"),
    [
        # At once: nobody ever writes into the FIFO.
        ("authorization: {credentials_file: file}", "a FIFO", "it is no regular file"),
        ("authorization: {credentials_file: file}", None, "No such file"),
        ("authorization: {credentials_file: file}", b"\xff\xfe", "it is no text"),
        ("authorization: {credentials_file: file}", b"x" * ((1 << 20) + 1), "larger than 1,048,576 bytes"),
        ("authorization: {credentials_file: file}", b" \n", "Header Authorization has no value that can be sent"),
        ("authorization: {credentials_file: file}", b"gehe\nimnis", "has line breaks"),
        ("http_headers: {X-Scope-OrgID: {files: [file]}}", b"gehe|im", "would read two tenants"),
        ("http_headers: {X: {files: [file]}}", "gehégehé".encode(), "Header X has no value that can be sent"),
        ("http_headers: {X-Scope-OrgID: {values: [a, gehe]}}", b"", "would read two tenants"),
        ('http_headers: {X: {values: ["gehe\\r\\nX-Other: 1"]}}', b"", "has line breaks or foreign characters"),
        ("http_headers: {X Key: {values: [gehe]}}", b"", "'X Key' is given twice, or set by the suite itself"),
        ("http_headers: {X: {values: [a]}, x: {values: [gehe]}}", b"", "'x' is given twice"),
        *(
            (f"http_headers: {{{name}: {{values: [gehe]}}}}", b"", "set by the suite itself")
            for name in ("Transfer-Encoding", "host", "Accept-Encoding", "Content-Length")
        ),
    ],
)
def test_what_cannot_be_sent_is_told_and_not_shown(
    hostile: Hostile, tmp_path: Path, config: str, content: bytes | str | None, words: str
) -> None:
    file = tmp_path / "access" / "file"
    file.parent.mkdir()
    if content == "a FIFO":
        os.mkfifo(file)
    elif isinstance(content, bytes):
        file.write_bytes(content)
    with pytest.raises(UsageError, match=words) as refused, session_of(hostile.url, tmp_path, config) as session:
        ask(session)
    assert "gehe" not in str(refused.value)
    assert hostile.seen == []


def test_what_is_given_twice_or_unverified_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(RefusedForSecurity, match=r"insecure_skip_verify.*ca_file") as unverified:
        session_of("https://localhost", tmp_path, "tls_config: {insecure_skip_verify: true}")
    assert unverified.value.exit_code == 8
    own = EnvironmentSettings(http_config_file=file_of(tmp_path, {"authorization": {"credentials_file": "token"}}))
    with pytest.raises(UsageError, match="password in its URL, and `authorization` is configured") as twice:
        open_source("http://joe:geheim@localhost:9090", limits=QUICK, settings=own)
    assert "geheim" not in str(twice.value)


def test_what_is_new_in_a_file_holds_from_the_next_request_on(hostile: Hostile, tmp_path: Path) -> None:
    hostile.script = lambda handler, _: handler.document(vector("1"))
    config = {"basic_auth": {"username_file": "user", "password_file": "password"}}
    with session_of(hostile.url, tmp_path, config) as session:
        for turn in ("1", "2"):
            for name in ("user", "password"):
                file_of(tmp_path / "access", name + turn, name)
            ask(session)
    assert [one.headers["Authorization"] for one in hostile.seen] == [
        basic(f"user{turn}", f"password{turn}") for turn in (1, 2)
    ]
    assert session._credentials.hide("password1 password2") == "<secret> <secret>"


def test_what_the_docs_show_is_the_schema_and_is_taken(tmp_path: Path) -> None:
    for page in ("configure-an-environment.md", "point-it-at-a-server.md"):
        text = HOWTO.joinpath(page).read_text(encoding="utf-8")
        for example in re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            assert read_http_config(file_of(tmp_path, example)) != HttpConfig()
        for example in re.findall(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            tables = tomllib.loads(example)
            for table in tables.get("environments", {}).values():
                assert EnvironmentSettings.model_validate(table) != EnvironmentSettings()
            for table in tables.get("metrics", {}).values():
                assert Metric.model_validate(table).scope == "rules"
    text = HOWTO.joinpath("configure-an-environment.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.*?) \|", text[text.index("## Credentials, TLS and headers") :], re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"`(\w+)`", row)} == set(HttpConfig.model_fields)


BEARING: list[dict[str, Any]] = [
    {"basic_auth": {"username": "joe", "password": SECRET}},
    {"basic_auth": {"username": SECRET}},
    {"basic_auth": {"username": "joe", "password_file": "secret"}},
    {"authorization": {"credentials": SECRET}},
    {"authorization": {"type": "Token", "credentials_file": "secret"}},
    {"authorization": {"credentials": "otherother"}, "http_headers": {"X-Key": {"secrets": [SECRET]}}},
]


def echo(handler: Handler, _: Mapping[str, str]) -> None:
    """Repeat every header, and what is behind Basic, as an unkind server may."""
    lines = list(handler.headers.values())
    lines += [base64.b64decode(line.split()[1]).decode() for line in lines if line.startswith("Basic ")]
    handler.document({"status": "error", "errorType": "bad_data", "error": " ; ".join(lines)}, 400)


def echo_as_a_label(handler: Handler, _: Mapping[str, str]) -> None:
    """A series of which a label is what was sent, in pieces that end within it."""
    body = json.dumps({"status": "success", "data": [{"a": " ".join(handler.headers.values())}]}).encode()
    handler.head(Content_Length=str(len(body)))
    for at in range(0, len(body), 7):
        handler.wfile.write(body[at : at + 7])
        handler.wfile.flush()


def echo_spelt(handler: Handler, _: Mapping[str, str]) -> None:
    """The same, with every sign as its number, which JSON allows."""
    text = "".join(f"\\u{ord(sign):04x}" for sign in " ".join(handler.headers.values()))
    handler.say(f'{{"status": "success", "data": [{{"a": "{text}"}}]}}'.encode())


@pytest.mark.parametrize(
    "config",
    [
        {"basic_auth": {"username": "joe", "password": "seven77"}},
        {"authorization": {"credentials": "seven77"}},
        {"authorization": {"credentials_file": "secret"}},
        {"http_headers": {"X-Key": {"secrets": ["seven77"]}}},
        {"http_headers": {"X-Key": {"files": ["secret"]}}},
        {"proxy_url": "http://joe:seven77@127.0.0.1:1"},
    ],
)
def test_a_secret_that_could_not_be_hidden_is_refused(hostile: Hostile, tmp_path: Path, config: object) -> None:
    """It would be masked out of ordinary words; the name of a user is no secret, and may be one."""
    file_of(tmp_path, "seven77\n", "access/secret")
    with pytest.raises(UsageError, match=r"has fewer than 8 characters.*longer one") as refused:
        ask(session_of(hostile.url, tmp_path, config))
    assert ("seven77" in str(refused.value), hostile.seen) == (False, [])
    hostile.script = lambda handler, _: handler.document({"status": "error", "error": "no joe here"}, 400)
    with pytest.raises(CloudxaiError, match="'no joe here'"):
        ask(session_of(hostile.url, tmp_path, {"basic_auth": {"username": "joe", "password": "eight888"}}))


def test_files_of_credentials_that_everybody_can_read_are_told(
    hostile: Hostile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hostile.script = lambda handler, _: handler.document(vector("1"))
    named = file_of(tmp_path, "long-enough", "access/token")
    for mode, config, told in (
        (0o600, {"authorization": {"credentials_file": "token"}}, []),
        (0o644, {"authorization": {"credentials_file": "token"}}, [named]),
        (0o644, {"authorization": {"credentials": "long-enough"}}, [tmp_path / "access" / "http.yml"]),
    ):
        caplog.clear()
        named.chmod(mode)
        ask(session_of(hostile.url, tmp_path, config))
        assert [line for line in caplog.messages if "every user can read it" in line] == [
            f"File {file} holds credentials, and every user can read it. Take that right away: chmod o-r."
            for file in told
        ]


@pytest.mark.parametrize("config", BEARING)
def test_no_secret_is_ever_shown_or_kept(
    hostile: Hostile, tmp_path: Path, config: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    file_of(tmp_path, SECRET + "\n", "access/secret")
    configured = HttpConfig.model_validate(config, context=tmp_path / "access")
    with session_of(hostile.url, tmp_path, config) as session:
        hostile.script = echo
        with pytest.raises(CloudxaiError) as told:
            ask(session)
        raised = [told.value]
        for script in (echo_as_a_label, echo_spelt):
            hostile.script = script
            with pytest.raises(RefusedForSecurity, match="repeats the credentials") as kept:
                session.ask("Asked for labels", "series", {}, read=lambda data: data)
            raised.append(kept.value)
        shown = [caplog.text, repr(vars(session)), repr(configured), repr(session._credentials)]
        shown += [str(configured.model_dump()), configured.model_dump_json()]
    with pytest.raises(CloudxaiError) as told, session_of("http://127.0.0.1:1", tmp_path, config) as gone:
        ask(gone)
    shown += ["".join(traceback.format_exception(one)) for one in (*raised, told.value)]
    carried = " ".join(hostile.seen[0].headers.values())
    forms = [SECRET, "ge-heim%2F%25w%2Brt", *re.findall(r"Basic (\S+)", carried)]
    assert SECRET in carried or SECRET in base64.b64decode(forms[-1]).decode()
    assert "<secret>" in str(raised[0])
    assert [form for form in forms for text in shown if form in text] == []


def test_the_proxys_password_is_not_shown_either(
    hostile: Hostile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    hostile.script = lambda handler, _: handler.document(vector("1"))
    with loopback_proxy() as proxy:
        table = {"proxy_url": proxy.url.replace("//", "//joe:ge-heim%2Fwort@")}
        with session_of(hostile.url, tmp_path, table) as session:
            ask(session)
            shown = repr(vars(session)) + session._credentials.hide("ge-heim/wort ge-heim%2Fwort")
    with pytest.raises(CloudxaiError) as told, session_of(hostile.url, tmp_path, table) as gone:
        ask(gone)
    shown += "".join(traceback.format_exception(told.value)) + caplog.text
    sent = basic("joe", "ge-heim/wort")
    assert proxy.seen[0].headers["Proxy-Authorization"] == sent
    assert not re.search(f"ge-heim|{sent.split()[1]}", shown)


@pytest.mark.parametrize("tenant", ["beta", "007", "a-b_c.d!e*f'(g)", "x" * 150, "true", "..."])
def test_a_tenant_of_mimir_is_a_tenant(tenant: str) -> None:
    assert EnvironmentSettings(source="http://127.0.0.1", tenant=tenant).tenant == tenant


@pytest.mark.parametrize(
    "tenant", ["", ".", "..", "__mimir_cluster", "x" * 151, "a b", "a/b", "a\\b", "é", "a\n", "a,b", "\u0660", "a|b"]
)
def test_anything_else_is_no_tenant(tenant: str) -> None:
    with pytest.raises(ValueError, match=r"would read two tenants|a tenant has 1 to 150 letters"):
        EnvironmentSettings(source="http://127.0.0.1", tenant=tenant)
