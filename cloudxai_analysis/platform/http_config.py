"""Credentials, TLS and headers, in the schema that Prometheus calls `http_config` and promtool reads from a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, Secret, field_validator, model_validator

TENANT_HEADER = "X-Scope-OrgID"
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")

# What Prometheus reserves, and what the suite or its HTTP client sets itself.
_RESERVED = re.compile(
    r"authorization|host|content-(encoding|length|type)|user-agent|(proxy-)?connection|keep-alive|www-authenticate"
    r"|proxy-(authenticate|authorization)|accept(-encoding)?|cache-control|expect|te|trailer|transfer-encoding|upgrade"
    r"|x-prometheus-(remote-(read|write)-version|scrape-timeout-seconds)|x-amz-(date|security-token|content-sha256)",
    re.IGNORECASE,
)
TlsVersion = Literal["TLS12", "TLS13"]


class SecretText(Secret[str]):
    """A text that is never shown; `get_secret_value()` gives it."""

    def _display(self) -> str:
        return "<secret>"


class _Table(BaseModel):
    """A table of the schema: unknown keys are mistakes, a key without a value too, and no message shows a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _has_values(cls, given: Any) -> Any:
        for key in cls.model_fields:
            if isinstance(given, dict) and given.get(key, key) in (None, ""):
                raise ValueError(f"'{key}' has no value; fill it, or leave it out")
        return given

    def beneath(self, folder: Path) -> Any:
        """The same table with every relative path starting at `folder`."""
        return self.model_copy(update={name: _beneath(folder, value) for name, value in self})

    def given(self, *keys: str) -> list[str]:
        """Those of the keys that have a value."""
        return [key for key in keys if getattr(self, key) is not None]

    def _at_most_one(self, *keys: str) -> None:
        if len(given := self.given(*keys)) > 1:
            raise ValueError(f"'{given[0]}' and '{given[1]}' exclude each other; keep one of them")


def _beneath(folder: Path, value: Any) -> Any:
    match value:
        case Path():
            return folder / value
        case _Table():
            return value.beneath(folder)
        case tuple():
            return tuple(_beneath(folder, item) for item in value)
        case dict():
            return {name: _beneath(folder, item) for name, item in value.items()}
    return value


class BasicAuth(_Table):
    """User and password."""

    username: SecretText | None = None
    username_file: Path | None = None
    password: SecretText | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _agrees(self) -> BasicAuth:
        self._at_most_one("username", "username_file")
        self._at_most_one("password", "password_file")
        if not self.given("username", "username_file", "password", "password_file"):
            raise ValueError("it holds neither a user nor a password")
        return self


class Authorization(_Table):
    """An `Authorization` header of any type but Basic: by default a bearer token."""

    type: str = "Bearer"
    credentials: SecretText | None = None
    credentials_file: Path | None = None

    @field_validator("type")
    @classmethod
    def _is_one_word(cls, given: str) -> str:
        word = given.strip() or "Bearer"
        if word.lower() == "basic":
            raise ValueError("'basic' has keys of its own; use 'basic_auth'")
        if not HEADER_NAME.fullmatch(word):
            raise ValueError("a type is one word, like Bearer")
        return word

    @model_validator(mode="after")
    def _agrees(self) -> Authorization:
        self._at_most_one("credentials", "credentials_file")
        if not self.given("credentials", "credentials_file"):
            raise ValueError("it needs 'credentials' or 'credentials_file'")
        return self


class TlsConfig(_Table):
    """Whom to trust, and what to show."""

    ca: str | None = Field(None, repr=False)
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False
    min_version: TlsVersion | None = None
    max_version: TlsVersion | None = None

    @model_validator(mode="after")
    def _agrees(self) -> TlsConfig:
        self._at_most_one("ca", "ca_file")
        if len(given := self.given("cert_file", "key_file")) == 1:
            raise ValueError(f"'{given[0]}' alone is not enough: a client certificate is 'cert_file' and 'key_file'")
        if self.min_version == "TLS13" and self.max_version == "TLS12":
            raise ValueError("'max_version' is below 'min_version'")
        return self


class Header(_Table):
    """The values of one header, given or in files."""

    values: tuple[SecretText, ...] = ()
    secrets: tuple[SecretText, ...] = ()
    files: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _has_fit_values(self) -> Header:
        if not (self.values or self.secrets or self.files):
            raise ValueError("it holds no value")
        if not all(map(HEADER_VALUE.fullmatch, self.texts())):
            # http.client would name the value in its own error.
            raise ValueError("a value has line breaks or foreign characters")
        return self

    def texts(self) -> list[str]:
        """The values that are given, and not in files."""
        return [text.get_secret_value() for text in (*self.values, *self.secrets)]


class HttpConfig(_Table):
    """How a server is spoken to; `beneath` anchors its paths, and nothing of it is read before it is used."""

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: SecretText | None = None
    bearer_token_file: Path | None = None
    tls_config: TlsConfig = TlsConfig()
    http_headers: dict[str, Header] = Field(default_factory=dict)
    proxy_url: SecretText | None = None
    follow_redirects: bool = True
    enable_http2: bool = True

    @field_validator("proxy_url")
    @classmethod
    def _is_a_proxy(cls, given: SecretText | None) -> SecretText | None:
        if given is not None and not _is_base_url(given.get_secret_value(), "http"):
            raise ValueError("it is no URL like http://proxy:3128; proxies of other kinds are not supported")
        return given

    @model_validator(mode="after")
    def _agrees(self) -> HttpConfig:
        self._at_most_one("basic_auth", "authorization", "bearer_token", "bearer_token_file")
        names = [name.lower() for name in self.http_headers]
        for name, header in self.http_headers.items():
            if not HEADER_NAME.fullmatch(name):
                raise ValueError("a name in 'http_headers' cannot be one of a header")
            if _RESERVED.fullmatch(name):
                raise ValueError(f"the header '{name}' is not to be set in 'http_headers'")
            if names.count(name.lower()) > 1:
                raise ValueError(f"the header '{name}' is given twice in 'http_headers'")
            several = len(header.texts()) + len(header.files) > 1 or any("|" in text for text in header.texts())
            if several and name.lower() == TENANT_HEADER.lower():
                raise ValueError(f"the header '{TENANT_HEADER}' would read two tenants; give one")
        return self


def checked_tenant(tenant: str) -> str:
    """`tenant`, where Mimir takes it for one; raises ValueError with the rule.

    The characters and names are those of Mimir's documentation, "About tenant IDs".
    """
    if "|" in tenant:
        raise ValueError("'a|b' would read two tenants; an environment reads one")
    if not re.fullmatch(r"[A-Za-z0-9!_.*'()-]{1,150}", tenant) or tenant in (".", "..", "__mimir_cluster"):
        raise ValueError("a tenant has 1 to 150 letters, digits or !-_.*'() and is not '.', '..' or '__mimir_cluster'")
    return tenant


def known_keys(path: list[str]) -> list[str]:
    """The keys that may stand where `path`, a place within the schema, ends."""
    tables: dict[str, type[_Table]]
    tables = {"basic_auth": BasicAuth, "authorization": Authorization, "tls_config": TlsConfig, "http_headers": Header}
    return list((tables[path[0]] if len(path) > 1 else HttpConfig).model_fields)


def _is_base_url(url: str, scheme: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only reading it tells whether a port is a number.
        fits = parts.scheme == scheme and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fits and parts.path in ("", "/") and not parts.query and not parts.fragment and url.isprintable()
