"""Credentials, TLS, headers and proxy of one server: a file in the schema that Prometheus calls `http_config`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cloudxai_analysis.ground.errors import UsageError
from cloudxai_analysis.sources.strict_yaml import read_yaml

TENANT_HEADER = "X-Scope-OrgID"
HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# What Prometheus reserves, and what the suite or its HTTP client sets itself.
_RESERVED = re.compile(
    r"authorization|host|content-(encoding|length|type)|user-agent|(proxy-)?connection|keep-alive|www-authenticate"
    r"|proxy-(authenticate|authorization)|accept(-encoding)?|cache-control|expect|te|trailer|transfer-encoding|upgrade"
    r"|x-prometheus-(remote-(read|write)-version|scrape-timeout-seconds)|x-amz-(date|security-token|content-sha256)",
    re.IGNORECASE,
)


def _anchored(path: Path, info: ValidationInfo) -> Path:
    return (info.context or Path()) / path


AnchoredPath = Annotated[Path, AfterValidator(_anchored)]
TlsVersion = Literal["TLS12", "TLS13"]


class _Table(BaseModel):
    """A table of the schema: unknown keys are mistakes, a key without a value too, and no message shows a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    exclusive: ClassVar[tuple[tuple[str, ...], ...]] = ()
    needed: ClassVar[tuple[str, ...]] = ()  # one of them

    @model_validator(mode="before")
    @classmethod
    def _has_values(cls, given: Any) -> Any:
        for key in cls.model_fields:
            if isinstance(given, dict) and given.get(key, key) in (None, ""):
                raise ValueError(f"'{key}' has no value; fill it, or leave it out")
        return given

    @model_validator(mode="after")
    def _agrees(self) -> _Table:
        for keys in self.exclusive:
            if len(given := self.given(*keys)) > 1:
                raise ValueError(f"'{given[0]}' and '{given[1]}' exclude each other; keep one of them")
        if self.needed and not self.given(*self.needed):
            raise ValueError(f"it needs {' or '.join(map(repr, self.needed))}")
        return self

    def given(self, *keys: str) -> list[str]:
        """Those of the keys that have a value."""
        return [key for key in keys if getattr(self, key)]


class BasicAuth(_Table):
    """User and password."""

    exclusive = (("username", "username_file"), ("password", "password_file"))
    needed = ("username", "username_file", "password", "password_file")

    username: SecretStr | None = None
    username_file: AnchoredPath | None = None
    password: SecretStr | None = None
    password_file: AnchoredPath | None = None


class Authorization(_Table):
    """An `Authorization` header of any type but Basic: by default a bearer token."""

    exclusive = (("credentials", "credentials_file"),)
    needed = ("credentials", "credentials_file")

    type: str = "Bearer"
    credentials: SecretStr | None = None
    credentials_file: AnchoredPath | None = None

    @field_validator("type")
    @classmethod
    def _is_one_word(cls, given: str) -> str:
        word = given.strip() or "Bearer"
        if word.lower() == "basic":
            raise ValueError("'basic' has keys of its own; use 'basic_auth'")
        if not _HEADER_NAME.fullmatch(word):
            raise ValueError("a type is one word, like Bearer")
        return word


class TlsConfig(_Table):
    """Whom to trust, and what to show."""

    exclusive = (("ca", "ca_file"),)

    ca: str | None = Field(None, repr=False)
    ca_file: AnchoredPath | None = None
    cert_file: AnchoredPath | None = None
    key_file: AnchoredPath | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False
    min_version: TlsVersion = "TLS12"
    max_version: TlsVersion = "TLS13"

    @model_validator(mode="after")
    def _makes_sense(self) -> TlsConfig:
        if len(given := self.given("cert_file", "key_file")) == 1:
            raise ValueError(f"'{given[0]}' alone is not enough: a client certificate is 'cert_file' and 'key_file'")
        if self.min_version > self.max_version:
            raise ValueError("'max_version' is below 'min_version'")
        return self


class Header(_Table):
    """The values of one header, given or in files."""

    needed = ("values", "secrets", "files")

    values: tuple[SecretStr, ...] = ()
    secrets: tuple[SecretStr, ...] = ()
    files: tuple[AnchoredPath, ...] = ()

    @model_validator(mode="after")
    def _has_fit_values(self) -> Header:
        if not all(map(HEADER_VALUE.fullmatch, self.texts())):
            # http.client would name the value in its own error.
            raise ValueError("a value has line breaks or foreign characters")
        return self

    def texts(self) -> list[str]:
        """The values that are given, and not in files."""
        return [text.get_secret_value() for text in (*self.values, *self.secrets)]


class HttpConfig(_Table):
    """How a server is spoken to; nothing that it names is read before it is used."""

    exclusive = (("basic_auth", "authorization", "bearer_token", "bearer_token_file"),)

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: SecretStr | None = None
    bearer_token_file: AnchoredPath | None = None
    tls_config: TlsConfig = TlsConfig()
    http_headers: dict[str, Header] = Field(default_factory=dict)
    proxy_url: SecretStr | None = None
    follow_redirects: bool = True
    enable_http2: bool = True

    @field_validator("proxy_url")
    @classmethod
    def _is_a_proxy(cls, given: SecretStr | None) -> SecretStr | None:
        if given is not None and not _is_http(given.get_secret_value()):
            raise ValueError("it is no URL like http://proxy:3128; proxies of other kinds are not supported")
        return given

    @model_validator(mode="after")
    def _has_fit_headers(self) -> HttpConfig:
        names = [name.lower() for name in self.http_headers]
        for name, header in self.http_headers.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError("a name in 'http_headers' cannot be one of a header")
            if _RESERVED.fullmatch(name):
                raise ValueError(f"the header '{name}' is not to be set in 'http_headers'")
            if names.count(name.lower()) > 1:
                raise ValueError(f"the header '{name}' is given twice in 'http_headers'")
            several = len(header.texts()) + len(header.files) > 1 or any("|" in text for text in header.texts())
            if several and name.lower() == TENANT_HEADER.lower():
                raise ValueError(f"the header '{TENANT_HEADER}' would read two tenants; give one")
        return self


def read_http_config(file: Path) -> HttpConfig:
    """The configuration in the YAML file, its relative paths starting at the file's folder.

    Raises
    ------
    UsageError
        The file cannot be read, or has a mistake; the line names the key, and never a value.
    """
    try:
        config: HttpConfig = HttpConfig.model_validate(read_yaml(file), context=file.parent)
    except ValidationError as error:
        raise UsageError(_one_line(error, file)) from None
    return config


def _one_line(error: ValidationError, file: Path) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        place = f", key '{'.'.join(path)}'" if path else ""
        return f"File {file}{place}: {first['msg'].removeprefix('Value error, ')}."
    # `{password:secret}` lacks a space, and is a key without a value; only what looks like a key is repeated.
    word = re.match(r"\w*", path[-1])[0] if first["input"] is not None or ":" in path[-1] else ""  # type: ignore[index]
    key = ".".join([*path[:-1], word or "…"])
    return f"File {file}: unknown key '{key}'. Correct it; not every key that Prometheus knows is supported."


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only reading it tells whether a port is a number.
        fits = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fits and parts.path in ("", "/") and not parts.query and not parts.fragment and url.isprintable()
