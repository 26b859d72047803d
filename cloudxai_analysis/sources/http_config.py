"""Credentials, TLS, headers and proxy of one server: a file in the schema that Prometheus calls `http_config`."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from cloudxai_analysis.ground.errors import UsageError

TENANT_HEADER = "X-Scope-OrgID"
HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_WORD = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# What Prometheus reserves, and what the suite or its HTTP client sets itself.
_RESERVED = re.compile(
    r"authorization|host|content-(encoding|length|type)|user-agent|(proxy-)?connection|keep-alive|www-authenticate"
    r"|proxy-(authenticate|authorization)|accept(-encoding)?|cache-control|expect|te|trailer|transfer-encoding|upgrade"
    r"|x-prometheus-(remote-(read|write)-version|scrape-timeout-seconds)|x-amz-(date|security-token|content-sha256)",
    re.IGNORECASE,
)
_LARGEST_BYTES, _DEEPEST = 1 << 20, 50

AnchoredPath = Annotated[Path, AfterValidator(lambda path, info: (info.context or Path()) / path)]


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
        if not _WORD.fullmatch(word):
            raise ValueError("a type is one word, like Bearer")
        return word


class TlsConfig(_Table):
    """Whom to trust, and what to show."""

    ca_file: AnchoredPath | None = None
    cert_file: AnchoredPath | None = None
    key_file: AnchoredPath | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False
    min_version: Literal["TLS12", "TLS13"] = "TLS12"

    @model_validator(mode="after")
    def _makes_sense(self) -> TlsConfig:
        if len(given := self.given("cert_file", "key_file")) == 1:
            raise ValueError(f"'{given[0]}' alone is not enough: a client certificate is 'cert_file' and 'key_file'")
        return self


class Header(_Table):
    """The values of one header, given or in files; several are sent as one line (RFC 9110, 5.3)."""

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

    @field_validator("http_headers")
    @classmethod
    def _are_headers(cls, given: dict[str, Header]) -> dict[str, Header]:
        names = [name.lower() for name in given]
        for name, header in given.items():
            if not _WORD.fullmatch(name):
                raise ValueError("a name in 'http_headers' cannot be one of a header")
            if _RESERVED.fullmatch(name):
                raise ValueError(f"the header '{name}' is not to be set in 'http_headers'")
            if names.count(name.lower()) > 1:
                raise ValueError(f"the header '{name}' is given twice in 'http_headers'")
            several = len(header.texts()) + len(header.files) > 1 or any("|" in text for text in header.texts())
            if several and name.lower() == TENANT_HEADER.lower():
                raise ValueError(f"the header '{TENANT_HEADER}' would read two tenants; give one")
        return given

    @property
    def token(self) -> Authorization | None:
        """What goes behind the type of `Authorization`, said in the newer way or in the older one."""
        if self.bearer_token is None and self.bearer_token_file is None:
            return self.authorization
        return Authorization.model_construct(credentials=self.bearer_token, credentials_file=self.bearer_token_file)


def read_http_config(file: Path) -> HttpConfig:
    """The configuration in the YAML file, its relative paths starting at the file's folder.

    Raises UsageError where the file cannot be read or has a mistake; the line names the key, and never a value.
    """
    try:
        config: HttpConfig = HttpConfig.model_validate(parsed_yaml(content_of(file)), context=file.parent)
    except ValidationError as error:
        raise UsageError(f"File {file}{_one_line(error)}.") from None
    except OSError as error:
        raise UsageError(f"File {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"File {file}{error}.") from None
    return config


def content_of(file: Path, most: int = _LARGEST_BYTES) -> bytes:
    """What a file holds; raises OSError, and at once, of what is no regular file (a FIFO would wait), or too large."""
    with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = stream.read(most + 1)
    if len(content) > most:
        raise OSError(errno.EFBIG, f"it is larger than {most:,} bytes")
    return content


def parsed_yaml(content: bytes) -> Any:
    """Dicts with text keys, lists, texts (`007` is '007'), and None where nothing is given.

    Raises ValueError with the line of an anchor, alias, tag, key that is there twice or deep nest, and no word of it.
    """
    depth = 0
    try:
        for event in yaml.parse(content, Loader=yaml.CBaseLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if getattr(event, "anchor", None) or getattr(event, "tag", None):
                what = "an anchor, alias or tag is not read; a value that begins with &, * or ! goes in quotes"
                raise _Refused(what, event.start_mark)
            if depth > _DEEPEST:
                raise _Refused("it is nested too deeply", event.start_mark)
        return yaml.load(content, Loader=_TextLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # Ours do not quote the text; PyYAML's can.
        what = str(error.problem) if isinstance(error, _Refused) else "it is no YAML of one document"
        raise ValueError(f"{f', line {mark.line + 1}' if mark else ''}: {what}") from None


class _Refused(yaml.MarkedYAMLError):
    def __init__(self, what: str, mark: Any) -> None:
        super().__init__(problem=what, problem_mark=mark)


class _TextLoader(yaml.CBaseLoader):
    def construct_scalar(self, node: Any) -> Any:
        return None if not node.style and node.value in ("", "~", "null") else super().construct_scalar(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, (key, (at, _)) in enumerate(zip(keys, node.value, strict=True)):
            if not isinstance(key, str) or key in keys[:number]:
                what = "a key is there twice" if isinstance(key, str) else "a key is no text"
                raise _Refused(what, at.start_mark)
        return super().construct_mapping(node, deep)


def _one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        place = f", key '{'.'.join(path)}'" if path else ""
        return f"{place}: {first['msg'].removeprefix('Value error, ')}"
    # `{password:secret}` lacks a space, and is a key without a value; only what looks like a key is repeated.
    named = re.match(r"\w+", path[-1]) if first["input"] is not None or ":" in path[-1] else None
    key = ".".join([*path[:-1], named[0] if named else "…"])
    return f": unknown key '{key}'. Correct it; not every key that Prometheus knows is supported"


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Only reading it tells whether a port is a number.
        fits = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return fits and parts.path in ("", "/") and not parts.query and not parts.fragment and url.isprintable()
