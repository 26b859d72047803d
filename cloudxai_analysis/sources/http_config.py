"""Credentials, TLS, headers and proxy of one server: a file in the schema that Prometheus calls `http_config`."""

from __future__ import annotations

import errno
import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator

from cloudxai_analysis.ground.errors import UsageError

_LARGEST_BYTES, _DEEPEST = 1 << 20, 50
_LOG = logging.getLogger(__name__)
_TOLD: set[Path] = set()

AnchoredPath = Annotated[Path, AfterValidator(lambda path, info: (info.context or Path()) / path)]


def _proxy(given: SecretStr) -> SecretStr:
    if not re.fullmatch(r"http://([^/@\s]*@)?([\w.-]+|\[[\da-fA-F:]+\])(:\d{1,5})?/?", given.get_secret_value()):
        raise ValueError("it is no URL like http://proxy:3128; proxies of other kinds are not supported")
    return given


class _Table(BaseModel):
    """A table of the schema: unknown keys are mistakes, and no message shows a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    exclusive: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @model_validator(mode="after")
    def _agrees(self) -> _Table:
        for keys in self.exclusive:
            if len(given := self.given(*keys)) > 1:
                raise ValueError(f"'{given[0]}' and '{given[1]}' exclude each other; keep one of them")
        return self

    def given(self, *keys: str) -> list[str]:
        """Those of the keys that have a value."""
        return [key for key in keys if getattr(self, key)]


class BasicAuth(_Table):
    """User and password."""

    exclusive = (("username", "username_file"), ("password", "password_file"))

    username: SecretStr | None = None
    username_file: AnchoredPath | None = None
    password: SecretStr | None = None
    password_file: AnchoredPath | None = None


class Authorization(_Table):
    """An `Authorization` header of any type but Basic: by default a bearer token."""

    exclusive = (("credentials", "credentials_file"),)

    type: str = Field("Bearer", pattern=r"^[A-Za-z0-9._~+/-]+$")
    credentials: SecretStr | None = None
    credentials_file: AnchoredPath | None = None


class TlsConfig(_Table):
    """Whom to trust, and what to show."""

    ca_file: AnchoredPath | None = None
    cert_file: AnchoredPath | None = None
    key_file: AnchoredPath | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False
    min_version: Literal["TLS12", "TLS13"] = "TLS12"


class Header(_Table):
    """The values of one header, given or in files; several are sent as one line (RFC 9110, 5.3)."""

    values: tuple[SecretStr, ...] = ()
    secrets: tuple[SecretStr, ...] = ()
    files: tuple[AnchoredPath, ...] = ()


class HttpConfig(_Table):
    """How a server is spoken to; nothing that it names is read before it is used."""

    exclusive = (("basic_auth", "authorization", "bearer_token", "bearer_token_file"),)

    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: SecretStr | None = None
    bearer_token_file: AnchoredPath | None = None
    tls_config: TlsConfig = TlsConfig()
    http_headers: dict[str, Header] = Field(default_factory=dict)
    proxy_url: Annotated[SecretStr, AfterValidator(_proxy)] | None = None
    follow_redirects: bool = True
    enable_http2: bool = True

    @property
    def token(self) -> Authorization | None:
        """What goes behind the type of `Authorization`, said in the newer way or in the older one."""
        if not self.given("bearer_token", "bearer_token_file"):
            return self.authorization
        return Authorization.model_construct(credentials=self.bearer_token, credentials_file=self.bearer_token_file)


def read_http_config(file: Path) -> HttpConfig:
    """The configuration in the YAML file, its relative paths starting at the file's folder.

    Raises UsageError where the file cannot be read or has a mistake; the line names the key, and
    never a value.
    """
    try:
        config: HttpConfig = HttpConfig.model_validate(parsed_yaml(content_of(file)), context=file.parent)
    except ValidationError as error:
        raise UsageError(f"File {file}, {_mistake(error)}.") from None
    except OSError as error:
        raise UsageError(f"File {file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise UsageError(f"File {file}{error}.") from None
    if _holds_secret(config):
        tell_if_open(file)
    return config


def _holds_secret(table: object) -> bool:
    """Whether a secret itself is given anywhere in it, and not only the file with one."""
    if isinstance(table, BaseModel):
        return any(_holds_secret(value) for value in dict(table).values())
    if isinstance(table, dict | tuple):
        return any(map(_holds_secret, table.values() if isinstance(table, dict) else table))
    return isinstance(table, SecretStr)


def content_of(file: Path) -> bytes:
    """What a file holds; raises OSError, and at once, of what is no regular file (a FIFO would wait), or too large."""
    with open(file, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as stream:
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        content = stream.read(_LARGEST_BYTES + 1)
    if len(content) > _LARGEST_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {_LARGEST_BYTES:,} bytes")
    return content


def tell_if_open(file: Path) -> None:
    """Warn, once, of a file with credentials that every user of the machine can read."""
    if file.absolute() not in _TOLD and file.stat().st_mode & stat.S_IROTH:
        _TOLD.add(file.absolute())
        _LOG.warning("File %s holds credentials, and every user can read it. Take that right away: chmod o-r.", file)


def parsed_yaml(content: bytes) -> Any:
    """Dicts with text keys, lists, texts (`007` is '007'), and None where nothing is given.

    Raises ValueError with the line of an anchor, alias, tag, key that is there twice or deep nest,
    and no word of it.
    """
    try:
        events = yaml.parse(content, Loader=yaml.CBaseLoader)
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            return None
        document = _value(next(events), events, _DEEPEST)
        next(events)
        if not isinstance(end := next(events), yaml.StreamEndEvent):
            raise _refused("it is more than one document", end)
        return document
    except yaml.YAMLError as error:  # its words can quote the file
        mark = getattr(error, "problem_mark", None)
        raise ValueError(f"{f', line {mark.line + 1}' if mark else ''}: it is no YAML") from None


def _refused(what: str, event: Any) -> ValueError:
    return ValueError(f", line {event.start_mark.line + 1}: {what}")


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    """What an event begins, taken from those that follow."""
    if getattr(event, "anchor", None) or getattr(event, "tag", None):
        raise _refused("an anchor, alias or tag is not read; a value that begins with &, * or ! goes in quotes", event)
    if isinstance(event, yaml.ScalarEvent):
        return None if not event.style and event.value in ("", "~", "null") else event.value
    if not depth:
        raise _refused("it is nested too deeply", event)
    if isinstance(event, yaml.SequenceStartEvent):
        return [_value(one, events, depth - 1) for one in _until(yaml.SequenceEndEvent, events)]
    mapping: dict[str, Any] = {}
    for at in _until(yaml.MappingEndEvent, events):
        key = _value(at, events, depth - 1)
        if not isinstance(key, str) or key in mapping:
            raise _refused("a key is there twice, or is no text", at)
        mapping[key] = _value(next(events), events, depth - 1)
    return mapping


def _until(end: type, events: Iterator[Any]) -> Iterator[Any]:
    while not isinstance(event := next(events), end):
        yield event


def _mistake(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    path = [str(part) for part in first["loc"]]
    if first["type"] != "extra_forbidden":
        return f"key '{'.'.join(path)}': {first['msg'].removeprefix('Value error, ')}"
    # `{password:secret}` lacks a space, and is a key without a value: such a one is not repeated.
    path[-1] = path[-1] if first["input"] is not None and path[-1].isidentifier() else "…"
    return f"unknown key '{'.'.join(path)}'. Correct it; not every key that Prometheus knows is supported"
