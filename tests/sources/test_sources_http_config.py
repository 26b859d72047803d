"""The schema of access: what excludes what, what is not supported and said so, and secrets that nothing shows."""

from __future__ import annotations

import re
import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cloudxai_analysis.platform.settings import checked_tenant
from cloudxai_analysis.sources.http_config import HttpConfig

SECRET = "geheim"
PEM = "-----BEGIN CERTIFICATE-----\n"


def mistake(document: Any) -> str:
    """What is wrong with the document, after a look that no part of the error shows a secret."""
    with pytest.raises(ValidationError) as refused:
        HttpConfig.model_validate(document)
    assert SECRET not in "".join(traceback.format_exception(refused.value))
    first = refused.value.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def basic(**keys: str) -> dict[str, Any]:
    return {"basic_auth": keys}


def tls(**keys: str) -> dict[str, Any]:
    return {"tls_config": keys}


def headers(**named: Any) -> dict[str, Any]:
    return {"http_headers": {name.replace("_", "-"): {"values": values} for name, values in named.items()}}


@pytest.mark.parametrize(
    "document",
    [
        {},
        basic(username="joe", password=SECRET),
        basic(username_file="user", password_file="password"),
        basic(username="joe"),
        {"authorization": {"credentials": SECRET}},
        {"authorization": {"type": "Digest", "credentials_file": "token"}},
        {"bearer_token": SECRET},
        {"bearer_token_file": "token"},
        tls(ca_file="ca.pem", cert_file="c.pem", key_file="k.pem", server_name="x", min_version="TLS12"),
        tls(ca=PEM, min_version="TLS13", max_version="TLS13", insecure_skip_verify="false"),
        {"http_headers": {"X-Key": {"values": ["a"], "secrets": [SECRET], "files": ["key"]}}},
        {"proxy_url": f"http://joe:{SECRET}@proxy:3128/"},
        {"proxy_url": "http://[::1]:3128"},
        {"follow_redirects": "false", "enable_http2": "true"},
    ],
)
def test_what_prometheus_takes_is_taken(document: dict[str, Any]) -> None:
    config = HttpConfig.model_validate(document)
    for shown in (repr(config), str(config), str(config.model_dump()), config.model_dump_json()):
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("document", "words"),
    [
        # Prometheus' own rules of what excludes what, from Validate in its common/config.
        ({"bearer_token": SECRET, "bearer_token_file": "x"}, "'bearer_token' and 'bearer_token_file' exclude each"),
        ({**basic(username="joe"), "bearer_token": SECRET}, "'basic_auth' and 'bearer_token' exclude each other"),
        ({**basic(username="joe"), "bearer_token_file": "x"}, "'basic_auth' and 'bearer_token_file' exclude each"),
        ({"authorization": {"credentials": SECRET}, "bearer_token": "x"}, "'authorization' and 'bearer_token' excl"),
        ({**basic(username="joe"), "authorization": {"credentials": SECRET}}, "'basic_auth' and 'authorization' excl"),
        (basic(username="joe", username_file="x"), "basic_auth: .*'username' and 'username_file' exclude each other"),
        (basic(password=SECRET, password_file="x"), "basic_auth: .*'password' and 'password_file' exclude each other"),
        ({"authorization": {"credentials": SECRET, "credentials_file": "x"}}, "'credentials' and 'credentials_file'"),
        ({"authorization": {"type": "bAsic", "credentials": SECRET}}, "use 'basic_auth'"),
        (tls(ca=PEM, ca_file="x"), "tls_config: .*'ca' and 'ca_file' exclude each other"),
        (tls(cert_file="x"), "tls_config: .*'cert_file' alone is not enough"),
        (tls(key_file="x"), "tls_config: .*'key_file' alone is not enough"),
        (tls(min_version="TLS13", max_version="TLS12"), "'max_version' is below 'min_version'"),
        (tls(min_version="TLS14"), "tls_config.min_version: Input should be 'TLS12' or 'TLS13'"),
        (headers(Authorization=[SECRET]), "the header 'Authorization' is not to be set"),
        (headers(X_Prometheus_Remote_Read_Version=[SECRET]), "is not to be set"),
        # What is not supported is named.
        ({"oauth2": {"client_secret": SECRET}}, "oauth2: Extra inputs are not permitted"),
        ({"sigv4": {"secret_key": SECRET}}, "sigv4: Extra inputs are not permitted"),
        ({"no_proxy": "localhost", "proxy_url": "http://x"}, "no_proxy: Extra inputs are not permitted"),
        ({"proxy_connect_header": {"X": [SECRET]}}, "proxy_connect_header: Extra inputs are not permitted"),
        ({"proxy_from_environment": "true"}, "proxy_from_environment: Extra inputs are not permitted"),
        ({"proxy_url": f"https://joe:{SECRET}@proxy"}, "proxy_url: .*no URL like http://proxy:3128"),
        ({"proxy_url": f"socks5://joe:{SECRET}@proxy:1080"}, "proxies of other kinds are not supported"),
        ({"proxy_url": f"http://proxy:{SECRET}"}, "proxy_url: .*no URL"),
        ({"proxy_url": f"http://proxy/?{SECRET}"}, "proxy_url: .*no URL"),
        ({"proxy_url": f"{SECRET}:3128"}, "proxy_url: .*no URL"),
        (basic(password_ref="x"), "password_ref: Extra inputs are not permitted"),
        ({"authorization": {"credentials_ref": "x"}}, "credentials_ref: Extra inputs are not permitted"),
        (tls(ca_ref="x"), "ca_ref: Extra inputs are not permitted"),
        (tls(cert=PEM, key=SECRET), "cert: Extra inputs are not permitted"),
        (tls(key=SECRET), "key: Extra inputs are not permitted"),
        (tls(min_version="TLS10"), "Input should be 'TLS12' or 'TLS13'"),
        # What would be sent in vain, or cannot be sent.
        ({"basic_auth": {}}, "it needs 'username' or"),
        ({"basic_auth": {"username": "joe", "password": None}}, "'password' has no value"),
        ({"bearer_token_file": ""}, "'bearer_token_file' has no value"),
        ({"authorization": {}}, "needs 'credentials' or 'credentials_file'"),
        ({"authorization": {"type": f"Bearer {SECRET}", "credentials": "x"}}, "a type is one word"),
        ({"http_headers": {"X-Key": {}}}, "http_headers.X-Key: .*it needs 'values' or"),
        (headers(X_Key=[f"{SECRET}\r\nX-Other: 1"]), "http_headers.X-Key: .*line breaks or foreign characters"),
        (headers(X_Key=[f"{SECRET}ß"]), "line breaks or foreign characters"),
        ({"http_headers": {"X Key": {"secrets": [SECRET]}}}, "cannot be one of a header"),
        ({"http_headers": {"X-Key": {"values": ["a"]}, "x-key": {"values": ["b"]}}}, "is given twice"),
        (headers(Transfer_Encoding=["chunked"]), "is not to be set"),
        (headers(x_scope_orgid=["a|b"]), "would read two tenants"),
        ({"http_headers": {"X-Scope-OrgID": {"secrets": ["a|b"]}}}, "would read two tenants"),
        (headers(X_Scope_OrgID=["a", "b"]), "would read two tenants"),
        # Other forms of value.
        ({"basic_auth": SECRET}, "basic_auth: .*valid dictionary"),
        (basic(password=[SECRET]), "basic_auth.password: Input should be a valid string"),  # type: ignore[arg-type]
        ({"tls_config": {"insecure_skip_verify": SECRET}}, "insecure_skip_verify: .*valid boolean"),
        (SECRET, "valid dictionary"),
    ],
)
def test_what_is_wrong_is_named_and_no_secret_is(document: Any, words: str) -> None:
    said = mistake(document)
    assert re.search(words, said), said


def test_relative_paths_start_where_the_configuration_lies() -> None:
    config = HttpConfig.model_validate(
        {
            "basic_auth": {"username_file": "user", "password_file": "/run/password"},
            "tls_config": {"ca_file": "ca.pem"},
            "http_headers": {"X-Key": {"files": ["keys/a", "/b"]}},
        },
        context=Path("/etc/suite"),
    )
    assert config.basic_auth.username_file == Path("/etc/suite/user")
    assert config.basic_auth.password_file == Path("/run/password")
    assert config.tls_config.ca_file == Path("/etc/suite/ca.pem")
    assert config.http_headers["X-Key"].files == (Path("/etc/suite/keys/a"), Path("/b"))


@pytest.mark.parametrize("tenant", ["beta", "007", "a-b_c.d!e*f'(g)", "x" * 150, "true", "..."])
def test_a_tenant_of_mimir_is_a_tenant(tenant: str) -> None:
    assert checked_tenant(tenant) == tenant


@pytest.mark.parametrize(
    "tenant", ["", ".", "..", "__mimir_cluster", "x" * 151, "a b", "a/b", "a\\b", "é", "a\n", "a,b", "\u0660", "a|b"]
)
def test_anything_else_is_no_tenant(tenant: str) -> None:
    said = "would read two tenants" if "|" in tenant else "a tenant has 1 to 150 letters"
    with pytest.raises(ValueError, match=said):
        checked_tenant(tenant)
