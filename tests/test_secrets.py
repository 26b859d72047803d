"""A canary in every place that credentials have, and servers that repeat it wherever they can: it is nowhere after."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from clean_command import cloudxai
from hostile_server import Handler, Hostile, loopback_proxy, vector

from cloudxai_analysis.cli.main import main

CANARY = 'c&nary/+%secr"t é~1'
PLAIN = "canary-of-letters-alone"
QUIET = {"CLOUDXAI_LIMITS__RETRIES": "0", "CLOUDXAI_LIMITS__REQUEST_TIMEOUT_SECONDS": "10"}


def forms(secret: str) -> set[str]:
    """What nobody may find: the secret as it is, in JSON, in a URL, and packed, alone and behind a user."""
    packed = (base64.b64encode(f"{user}{secret}".encode()).decode().rstrip("=") for user in ("", "joe:", ":"))
    found = {secret, json.dumps(secret)[1:-1], quote(secret), quote(secret, safe=""), quote_plus(secret), *packed}
    return found | {form.lower() for form in found if "%" in form}


def sent(handler: Handler) -> str:
    """All that came with the request, and what a server could make of it."""
    return sent_by(dict(handler.headers))


def sent_by(headers: Mapping[str, str]) -> str:
    lines = [value for name, value in headers.items() if name in ("Authorization", "X-Key")]
    lines += [base64.b64decode(line.split()[1]).decode() for line in lines if line.startswith("Basic ")]
    return " ".join([*lines, *map(quote, lines)])


def in_errors(handler: Handler, _: Mapping[str, str]) -> None:
    handler.document({"status": "error", "errorType": sent(handler), "error": sent(handler)}, 400)


def in_a_page(handler: Handler, _: Mapping[str, str]) -> None:
    handler.say(f"<html>{sent(handler)}</html>".encode())


def in_a_redirect(handler: Handler, _: Mapping[str, str]) -> None:
    handler.say(b"", 302, Location=f"https://elsewhere/{quote(sent(handler))}")


def in_data(handler: Handler, fields: Mapping[str, str]) -> None:
    """A version, flags, labels, warnings, names, and annotations of rules."""
    word, path = sent(handler), handler.path
    rule = {"type": "alerting", "name": word, "query": "up", "duration": 0, "labels": {}, "annotations": {"a": word}}
    data: Any = {"version": word, "yaml": word, "storageRetention": word}
    if path.endswith("rules"):
        data = {"groups": [{"name": word, "file": word, "interval": 30, "rules": [rule]}]}
    elif "/label/" in path or path.endswith(("labels", "values", "series")):
        data = [word]
    elif "query" in path and fields.get("query") == "time()":
        data = {"resultType": "scalar", "result": [1795478400, "1795478400"]}
    elif "query" in path:
        data = vector("1")["data"]
        data["result"][0]["metric"] = {"__name__": "up", "job": word}
    handler.document({"status": "success", "data": data, "warnings": [word]})


SCRIPTS: list[Callable[[Handler, Mapping[str, str]], None]] = [in_errors, in_a_page, in_a_redirect, in_data]


def access(way: str, folder: Path, secret: str, proxy: str) -> dict[str, Any]:
    """A file of access with the secret in this place."""
    (folder / "secret").write_text(secret)
    return {
        "password": {"basic_auth": {"username": "joe", "password": secret}},
        "password in a file": {"basic_auth": {"username": "joe", "password_file": "secret"}},
        "token": {"authorization": {"credentials": secret}},
        "token in a file": {"authorization": {"credentials_file": "secret"}},
        "header": {"http_headers": {"X-Key": {"values": [secret]}}},
        "header's secret": {"http_headers": {"X-Key": {"secrets": [f"Bearer {secret}"]}}},
        "header in a file": {"http_headers": {"X-Key": {"files": ["secret"]}}},
        "proxy": {"proxy_url": proxy.replace("//", f"//joe:{quote(secret, safe='')}@")},
    }[way]


WAYS = ["password", "password in a file", "token", "token in a file", "header", "header's secret"]
WAYS += ["header in a file", "proxy", "URL in the settings", "URL on the command line", "URL in a variable"]
COMMANDS = ["status", "connect", "pull", "pull --dry-run", "audit", "ledger", "replay", "focus", "explain"]


def words(command: str, source: str, rules: Path) -> list[str]:
    """The command line; `source` '' where the settings or a variable say it."""
    given = ["--source", source] if source else []
    match command.split():
        case ["connect"]:
            return ["connect", source or "http://127.0.0.1:1", "--write", "--yes", "--environment", "new"]
        case ["audit"]:
            return ["audit", str(rules), *(given or ["--source", "http://127.0.0.1:1"])]
        case ["ledger"]:
            return ["ledger", "list", *given]
        case ["focus"]:
            return ["focus", "2026-W46", *given]
        case ["explain"]:
            return ["explain", "churn", *given]
        case [name, *options]:
            return [name, *options, *given]
    raise AssertionError(command)


@pytest.mark.parametrize("way", WAYS)
def test_what_lets_us_in_is_found_nowhere_afterwards(
    hostile: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], way: str
) -> None:
    # A header has no room for letters beyond ASCII, nor a value in two spellings.
    secret = CANARY if "URL" in way or way in ("password", "proxy") else PLAIN
    settings, outputs, rules = tmp_path / "etc" / "cloudxai.toml", tmp_path / "outputs", tmp_path / "rules.yml"
    settings.parent.mkdir()
    rules.write_text('{"groups": [{"name": "g", "rules": [{"alert": "A", "expr": "up == 0"}]}]}')
    with_user = hostile.url.replace("//", f"//joe:{quote(secret, safe='')}@")
    for name, value in {**QUIET, "CLOUDXAI_OUTPUTS": str(outputs), "CLOUDXAI_SETTINGS": str(settings)}.items():
        monkeypatch.setenv(name, value)
    given = ""
    with loopback_proxy() as proxy:
        if way == "URL in a variable":
            monkeypatch.setenv("PROMETHEUS_URL", with_user)
            settings.write_text("")
        elif way == "URL on the command line":
            given = with_user
            settings.write_text("")
        else:
            in_file = "URL" not in way
            table = {"source": hostile.url if in_file else with_user, "http_config_file": "http.yml"}
            lines = [f"{key} = {json.dumps(value)}" for key, value in table.items() if in_file or key == "source"]
            settings.write_text('default_environment = "own"\n[environments.own]\n' + "\n".join(lines))
            if in_file:
                (settings.parent / "http.yml").write_text(json.dumps(access(way, settings.parent, secret, proxy.url)))
        for script in SCRIPTS:
            hostile.script = script
            for command in COMMANDS:
                with pytest.raises(SystemExit) as ended:
                    main(words(command, given, rules))
                assert ended.value.code in (0, 1, 2, 3, 4, 5, 8), (script, command)
    assert hostile.seen
    carried = " ".join(sent_by(one.headers) for one in hostile.seen)
    assert way == "proxy" or secret in carried
    said = capfd.readouterr()
    texts = {"stdout": said.out, "stderr": said.err}
    assert "Traceback" not in said.err
    kept = [file for file in tmp_path.rglob("*") if file.is_file() and file.parent != settings.parent]
    texts |= {str(file): file.read_bytes().decode(errors="replace") for file in kept}
    assert [(name, form) for name, text in texts.items() for form in forms(secret) if form in text] == []


@pytest.mark.notebook
def test_a_notebook_keeps_no_secret_either(hostile: Hostile, tmp_path: Path) -> None:
    """Not as a parameter, for which it is refused, and not in what a cell raises."""
    (tmp_path / "http.yml").write_text(json.dumps({"authorization": {"credentials": PLAIN}}))
    settings = tmp_path / "cloudxai.toml"
    settings.write_text(f'[environments.own]\nsource = "{hostile.url}"\nhttp_config_file = "http.yml"\n')
    hostile.script, run = in_errors, ["run", "weekly_report", "-p", "environment", "own", "-p", "source"]
    texts = []
    for command, code in (
        ([*run, hostile.url.replace("//", f"//{PLAIN}@")], 2),
        ([*run, hostile.url], 4),
        (["report", "--environment", "own"], 4),
        (["report", "--environment", "own", "--source", hostile.url.replace("//", f"//{PLAIN}@")], 2),
    ):
        done = cloudxai(*command, settings=settings)
        assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
        texts += [done.stdout, done.stderr]
    kept = [file for file in (tmp_path / "outputs").rglob("*") if file.is_file()]
    (executed,) = (file.name for file in kept if file.suffix == ".ipynb")
    assert executed.startswith("weekly_report-")
    texts += [file.read_bytes().decode(errors="replace") for file in kept]
    assert any("<secret>" in text for text in texts)
    assert not [form for text in texts for form in forms(PLAIN) if form in text]
