"""The digest: its words, and that it is sent when asked, to whom it is for, by nobody's proxy, and never twice."""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import servers
from aiosmtpd.controller import Controller
from certificates import new_authority, server_context
from clean_command import COMMAND, clean
from executed import summary
from hostile_server import Hostile, hostile_server
from hostile_strings import STRINGS, readable
from markdown_it import MarkdownIt

from cloudxai_analysis.cli.main import main
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.report.digest import digested
from cloudxai_analysis.report.publish import mark_stale

# Of apprise's, not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
WEEK = "2026-W46"
PASSWORD = "hunter2hunter2"
LONG = "so many words that no reader ever " * 40


class Text(HTMLParser):
    """What a reader of HTML sees, and its elements with their attributes' names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shown, self.seen = "", []
        self.feed(page.partition("</head>")[2])

    def handle_data(self, data: str) -> None:
        self.shown += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += [(tag, *(name for name, _ in attrs))] if tag not in ("bdi", "span") else []


def words(text: str) -> list[str]:
    return text.replace("\u00a0", " ").split()


@pytest.mark.parametrize("paragraph", ["3 checks cannot tell.", LONG])
@pytest.mark.parametrize("headline", ["Warning: acme took the last label.", f"Failed: {LONG}"])
def test_it_is_complete_in_under_120_words_in_every_form(headline: str, paragraph: str) -> None:
    said = summary() | {"headline": headline, "paragraph": paragraph}
    said["provenance"]["source"]["kind"] = "demo"
    made = digested(said, "https://x.example/2026-W46/weekly_report.html")
    assert made.subject.startswith(headline[:60])
    assert len(words(made.text())) < 120
    assert words(Text(made.html()).shown) == words(made.text())
    assert words(Text("</head>" + MarkdownIt().render(made.markdown())).shown) == words(made.text())
    kept = (
        "demo, 2026-W46, from 2026-11-09",
        "Demo: generated data",
        "Tenant labels left: 54 of 100",
        "https://x.example/",
    )
    assert all(one in made.text() for one in kept)
    assert ("3 checks cannot tell." in made.text()) == (paragraph != LONG)
    assert LONG.strip() not in made.text()  # a line is there as a whole, or not


@pytest.mark.parametrize("name", STRINGS)
def test_a_hostile_name_is_its_own_text_in_every_form(name: str) -> None:
    plain, own = digested(summary(), "p"), digested(summary(name), "p")
    shown = readable(name)
    found = f"Warning: {shown} took the last tenant label."
    assert (own.subject, own.text().splitlines()[0]) == (found, found)
    assert Text(own.html()).seen == Text(plain.html()).seen
    assert " ".join(words(Text(own.html()).shown)).startswith(found)
    rendered = Text("</head>" + MarkdownIt("commonmark", {"html": True}).enable("table").render(own.markdown()))
    assert {tag for tag, *_ in rendered.seen} == {"p", "strong"}
    assert " ".join(words(rendered.shown)).startswith(found)


# --- sent ---


class Box:
    """A mail server on the loopback that keeps what it takes, and answers as it is told."""

    def __init__(self, **tls: Any) -> None:
        self.taken: list[EmailMessage] = []
        self.answer = "250 OK"
        self.server = Controller(self, hostname="127.0.0.1", port=servers.free_port(), **tls)

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.server.port}/?from=suite@x.example&to=board@x.example&mode=insecure"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        if self.answer.startswith("250"):
            self.taken.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return self.answer


@pytest.fixture
def box() -> Iterator[Box]:
    made = Box()
    made.server.start()
    yield made
    made.server.stop()


@pytest.fixture
def hook() -> Iterator[Hostile]:
    """A webhook that takes all."""
    with hostile_server() as server:
        server.bodies = []

        def take(handler: Any, _: Any) -> None:
            server.bodies.append(json.loads(handler.body))
            handler.say(b"ok")

        server.script = take
        yield server


class Sender:
    """The command, on a published report, with recipients."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys
        self.report = folder / "outputs" / "demo" / "reports" / WEEK
        self.report.mkdir(parents=True)
        self.says(summary())
        (folder / "cloudxai.toml").write_text('[environments.demo]\nsource = "demo://"\nsend = "send.toml"\n')

    def says(self, said: dict[str, Any]) -> None:
        (self.report / "summary.json").write_text(json.dumps(said))

    def to(self, errors: dict[str, str] | None = None, **reports: str) -> None:
        tables = (("reports", reports), ("errors", errors or {}))
        rows = [f"[{table}]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in own.items()) for table, own in tables]
        file = self.folder / "send.toml"
        file.write_text("".join(rows))
        file.chmod(0o600)

    def __call__(self, *given: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as code:
            main(["digest", "--week", WEEK, "--environment", "demo", *given])
        return code.value.code, "".join(self.capsys.readouterr())

    @property
    def states(self) -> list[tuple[str, str, int]]:
        entries = Ledger(self.folder / "outputs" / "demo" / "ledger" / "incidents.jsonl").entries()
        return [(one.to, one.state, one.attempt) for one in entries]


@pytest.fixture
def sender(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sender:
    monkeypatch.setenv("CLOUDXAI_SETTINGS", str(tmp_path / "cloudxai.toml"))
    monkeypatch.setenv("CLOUDXAI_OUTPUTS", str(tmp_path / "outputs"))
    for name in ("NO_PROXY", "no_proxy", "NETRC"):  # which a run sets for itself
        monkeypatch.setenv(name, "")
    return Sender(tmp_path, capsys)


def test_nothing_is_sent_unasked_and_nothing_twice(sender: Sender, box: Box, hook: Hostile) -> None:
    sender.to(board=box.url, chat=hook.url.replace("http", "json"))
    code, said = sender()
    assert (code, said.splitlines()[0]) == (0, "Warning: acme took the last tenant label.")
    assert (box.taken, hook.seen, sender.states) == ([], [], [])
    assert sender("--send") == (0, "board: sent\nchat: sent\n")
    code, again = sender("--send")
    assert (code, again.count("sent before, on")) == (0, 2)
    assert (len(box.taken), len(hook.seen)) == (1, 1)
    (mail,), (posted,) = box.taken, hook.bodies
    assert (mail["subject"], mail["to"]) == ("Warning: acme took the last tenant label.", "board@x.example")
    parts = {part.get_content_type(): part.get_content() for part in mail.walk() if not part.is_multipart()}
    assert words(parts["text/plain"]) == words(Text(parts["text/html"]).shown) == words(said)
    assert (posted["title"], words(posted["message"])) == (mail["subject"], words(said))
    assert sender.states == [(to, how, 1) for to in ("board", "chat") for how in ("begun", "sent")]
    sender.says(summary("globex"))  # another content is another digest
    assert sender("--send")[0] == 0
    assert sender("--send", "--again", "chat")[0] == 0
    assert (len(box.taken), len(hook.seen)) == (2, 3)


def test_by_starttls_the_server_shows_a_certificate_that_is_verified_before_anything_is_sent(
    sender: Sender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = new_authority(tmp_path)
    box = Box(tls_context=server_context(authority.issue("mail")), require_starttls=True)
    box.server.start()
    try:
        sender.to(board=box.url.replace("insecure", "starttls"))
        code, said = sender("--send")  # nobody vouches for that authority
        assert (code, "not sent: " in said, box.taken) == (3, True, [])
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert sender("--send") == (0, "board: sent\n")
        assert [mail["subject"] for mail in box.taken] == ["Warning: acme took the last tenant label."]
    finally:
        box.server.stop()


def test_who_refuses_or_is_away_is_asked_again_and_who_may_have_it_is_not(
    sender: Sender, box: Box, hook: Hostile
) -> None:
    away = f"json://127.0.0.1:{servers.free_port()}"
    sender.to(board=box.url, chat=hook.url.replace("http", "json"), away=away)
    take, box.answer = hook.script, "554 no"
    hook.script = lambda handler, _: handler.say(b"", status=403)
    code, said = sender("--send")
    assert (code, said.count("the next run tries again")) == (3, 6)
    hook.script = lambda handler, _: handler.say(b"", status=502)
    assert sender("--send")[0] == 3
    box.answer, hook.script = "250 OK", take
    code, said = sender("--send")
    assert "chat: an attempt on " in said
    assert "may have arrived, and is not repeated unasked; --again chat does" in said
    assert (code, len(box.taken), hook.bodies) == (3, 1, [])
    sender.to(board=box.url, chat=hook.url.replace("http", "json"))
    assert sender("--send", "--again", "chat")[0] == 0
    assert (len(box.taken), len(hook.bodies)) == (1, 1)
    assert [one for one in sender.states if one[0] == "chat"] == [
        *(("chat", "begun", 1), ("chat", "refused", 1), ("chat", "begun", 2), ("chat", "unclear", 2)),
        *(("chat", "begun", 3), ("chat", "sent", 3)),
    ]


def test_killed_between_sending_and_its_record_it_says_so_and_sends_no_second_one(
    sender: Sender, hook: Hostile
) -> None:
    sender.to(chat=hook.url.replace("http", "json"))
    process: Any = None

    def kill(handler: Any, _: Any) -> None:
        process.send_signal(signal.SIGKILL)
        process.wait()
        handler.say(b"ok")

    take, hook.script = hook.script, kill
    here = os.pathsep.join(filter(None, sys.path))
    given = clean(
        PYTHONPATH=here,
        CLOUDXAI_SETTINGS=os.environ["CLOUDXAI_SETTINGS"],
        CLOUDXAI_OUTPUTS=os.environ["CLOUDXAI_OUTPUTS"],
    )
    process = subprocess.Popen([*COMMAND, "digest", "--week", WEEK, "--environment", "demo", "--send"], env=given)
    process.wait()
    hook.script = take
    code, said = sender("--send")
    assert (code, "may have arrived" in said, len(hook.seen), sender.states) == (3, True, 1, [("chat", "begun", 1)])


def test_errors_go_to_other_people_once_and_a_stale_report_to_nobody(sender: Sender, box: Box, hook: Hostile) -> None:
    sender.to({"operators": hook.url.replace("http", "json")}, board=box.url)
    mark_stale(sender.report, "Source http://prom:9090 refused.")
    for _ in range(2):
        code, said = sender("--send")
        assert (code, "is stale, so there is no digest: Source http://prom:9090 refused." in said) == (6, True)
    (told,) = hook.bodies
    assert told["title"] == f"cloudxai: no digest {WEEK} of demo"
    assert "Source http://prom:9090 refused." in told["message"]
    assert box.taken == []
    assert sender("--week", "2026-W45", "--send")[0] == 2
    assert (len(hook.bodies), box.taken) == (2, [])


def test_no_proxy_no_netrc_no_redirect_and_no_secret_in_what_is_said(
    sender: Sender, hook: Hostile, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login joe password netrcnetrc\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{servers.free_port()}")
    sender.to(chat=hook.url.replace("http", "json"))
    assert sender("--send")[0] == 0
    assert "Authorization" not in hook.seen[0].headers
    hook.script = lambda handler, _: handler.head(302, Location="/elsewhere", Content_Length="0")
    sender.to(chat=f"{hook.url.replace('http://', f'json://joe:{PASSWORD}@')}/{PASSWORD}token")
    code, said = sender("--send", "--again", "chat")
    assert (code, len(hook.seen), PASSWORD in said) == (3, 2, False)
    ledger = (tmp_path / "outputs" / "demo" / "ledger" / "incidents.jsonl").read_text()
    assert PASSWORD not in ledger


MISTAKES: list[tuple[str, list[str], int, str]] = [
    ("", ["--send"], 2, r"key 'reports': Field required"),
    (f'[reports]\na = "nosuch://joe:{PASSWORD}@h"', ["--send"], 2, "'a' has no address that apprise knows"),
    (
        f'[reports]\na = "jsons://joe:{PASSWORD}@h?verify=no"',
        ["--send"],
        8,
        "asks for a certificate not to be verified",
    ),
    (f'[reports]\na = "json://h/{PASSWORD}"\n[errors]\nb = "json://h/{PASSWORD}"', ["--send"], 2, "gets no errors"),
    ('[reports]\na = "json://h"', ["--send", "--again", "b"], 2, "No recipient 'b' of reports. Did you mean|Known: a"),
    ('[reports]\na = "json://h"', ["--again", "a"], 2, "--again goes with --send"),
    (f'[reports]\na = "{PASSWORD}', ["--send"], 2, "cannot be read"),
    ('[report]\na = "json://h"', ["--send"], 2, "Field required|Did you mean 'reports'"),
]


@pytest.mark.parametrize(("file", "given", "code", "said"), MISTAKES)
def test_a_mistake_is_one_line_that_shows_no_address(
    sender: Sender, file: str, given: list[str], code: int, said: str
) -> None:
    (sender.folder / "send.toml").write_text(file)
    (sender.folder / "send.toml").chmod(0o600)
    ended, told = sender(*given)
    assert (ended, told.count("\n"), PASSWORD in told) == (code, 1, False), told
    assert re.search(said, told), told


def test_without_recipients_and_with_a_summary_that_is_none_it_says_what_to_do(sender: Sender) -> None:
    (sender.report / "summary.json").write_text("{")
    assert sender() == (5, sender()[1])
    assert "cannot be read; `cloudxai report --week 2026-W46" in sender()[1]
    (sender.folder / "cloudxai.toml").write_text("")
    assert "has no `send`" in sender("--send")[1]


def test_a_subject_has_one_line_whatever_is_in_it(sender: Sender, box: Box) -> None:
    sender.to(board=box.url)
    hostile = "two\r\nBcc: all@x.example\n\n\u202e\x00=?utf-8?q?x?= {{ 7 * 7 }} :smile: \\n"
    sender.says(summary() | {"headline": hostile})
    assert sender("--send")[0] == 0
    (mail,) = box.taken
    assert mail["bcc"] is None
    assert mail["subject"].startswith("two Bcc: all@x.example")
    assert ":smile: \\n" in mail["subject"]
