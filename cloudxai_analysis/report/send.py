"""Sending a digest by apprise to those whom a file names, each at most once, and errors to others than reports.

Before anything is sent the ledger says that it begins, and afterwards how it ended. What began and has no end, or ended
in a way that leaves open whether it arrived, is not sent again unasked: one letter too few can be asked for, one too
many cannot be taken back.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from cloudxai_analysis.ground import secrets
from cloudxai_analysis.ground.errors import CloudxaiError, RefusedForSecurity, SourceUnreachable, UsageError
from cloudxai_analysis.ledger import Ledger
from cloudxai_analysis.ledger.jobs import Sent
from cloudxai_analysis.platform.settings import Environment, project_folder
from cloudxai_analysis.platform.tables import read_table
from cloudxai_analysis.report.digest import Digest
from cloudxai_analysis.sources.credentials import tell_if_open
from cloudxai_analysis.words.phrases import moment, near_miss

_ADDRESSES = 'Give [reports], and [errors] for whom failures are told, each as NAME = "address as apprise has it".'
# Nobody was there, or whoever was there said no: it did not arrive. All else may have.
_REFUSED = re.compile(
    r"Errno (-\d+|101|111|113)\]|NewConnectionError|ConnectTimeout|CERTIFICATE_VERIFY_FAILED|error=4\d\d|\([45]\d\d, b"
)
_TAKEN = re.compile(r"\bSent\b")  # by some of the several that one address may name
_DIRECT = {"NO_PROXY": "*", "no_proxy": "*", "NETRC": os.devnull}


class Recipients(BaseModel):
    """Who gets reports and who gets errors, by a name each, with the secret address."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    reports: dict[str, SecretStr]
    errors: dict[str, SecretStr] = {}

    @model_validator(mode="after")
    def _apart(self) -> Recipients:
        if set(self.reports) & set(self.errors) or set(self.reports.values()) & set(self.errors.values()):
            raise ValueError("who gets reports gets no errors; name somebody else under [errors]")
        return self


class Post:
    """The post of an environment about one report.

    Raises UsageError (no recipients, no apprise, no address), RefusedForSecurity (a certificate
    would not be verified).
    """

    def __init__(self, environment: Environment, report: str, *, at: datetime | None = None) -> None:
        named = environment.settings.send
        if named is None:
            raise UsageError(f"Environment {environment.name} has no `send`, a TOML file of recipients. {_ADDRESSES}")
        file = project_folder() / named
        to = read_table(file, Recipients, of="Recipients", otherwise=_ADDRESSES)
        tell_if_open(file)
        self.reports, self.errors = (
            {name: _service(name, url.get_secret_value()) for name, url in some.items()}
            for some in (to.reports, to.errors)
        )
        self._of, self._report, self._at = environment.name, report, at
        self._ledger = Ledger.of(environment)

    def send(self, digest: Digest, *, again: tuple[str, ...] = ()) -> Iterator[str]:
        """Send to everybody under [reports], and give a line each.

        Raises SourceUnreachable (it did not reach somebody, or nobody knows whether it did).
        """
        if unknown := set(again) - self.reports.keys():
            raise UsageError(f"No recipient '{min(unknown)}' of reports.{near_miss(min(unknown), list(self.reports))}")
        missed = []
        for name, service in self.reports.items():
            state, said = self._sent(name, service, digest, again=name in again)
            yield f"{name}: {said}"
            missed += [] if state == "sent" else [f"{name} ({said})"]
        if missed:
            raise SourceUnreachable(f"Digest {self._report} of {self._of}: {'; '.join(missed)}.")

    def tell(self, error: CloudxaiError) -> Iterator[str]:
        """Tell those under [errors] of a failure, once."""
        told = Digest(f"cloudxai: no digest {self._report} of {self._of}", ((str(error), True),))
        for name, service in self.errors.items():
            yield f"{name}: {self._sent(name, service, told, again=False)[1]}"

    def _sent(self, name: str, service: Any, digest: Digest, *, again: bool) -> tuple[str, str]:
        """How sending to one recipient ended, or ended before."""
        key = {"report": self._report, "to": name}
        key["content"] = hashlib.sha256(f"{digest.subject}\n{digest.text()}".encode()).hexdigest()
        before = self._ledger.standing().counting(Sent)
        last = next(
            (one for one in before if {"report": one.report, "to": one.to, "content": one.content} == key), None
        )
        if last and last.state == "sent" and not again:
            return "sent", f"sent before, on {moment(last.written_at)}"
        if last and last.state in ("begun", "unclear") and not again:
            how = f"an attempt on {moment(last.written_at)} may have arrived, and is not repeated unasked"
            return "unclear", f"{how}; --again {name} does"
        entry = {**key, "kind": "sent", "by": "cloudxai digest", "attempt": last.attempt + 1 if last else 1}
        entry |= {"written_at": self._at} if self._at else {}
        if not self._ledger.append_all([{**entry, "state": "begun"}], unless_known=True):
            return "unclear", "another run is sending it"
        state = _delivered(service, digest)
        self._ledger.append({**entry, "state": state})
        return state, {
            "sent": "sent",
            "refused": "not sent: nobody was there, or it was refused; the next run tries again",
            "unclear": f"nobody knows whether it arrived; it is not repeated unasked, --again {name} does",
        }[state]


def _service(name: str, url: str) -> Any:
    try:
        from apprise import Apprise, AppriseAsset
    except ImportError:
        raise UsageError("Sending needs apprise: install requirements/send.txt, or the extra `send`.") from None
    own = logging.getLogger("apprise")  # whose lines go to nobody but the result
    own.setLevel(logging.DEBUG)
    own.propagate, own.handlers = False, own.handlers or [logging.NullHandler()]
    service = Apprise.instantiate(url, asset=AppriseAsset(secure_logging=True))
    if service is None:
        raise UsageError(f"Recipient '{name}' has no address that apprise knows. Correct it; it is not shown here.")
    for secret in (url, getattr(service, "password", None) or ""):
        if len(secret) >= secrets.LEAST_CHARACTERS:
            secrets.keep(secret)
    if not service.verify_certificate:
        raise RefusedForSecurity(f"Recipient '{name}' asks for a certificate not to be verified (verify=no).")
    service.redirects = False
    return service


def _delivered(service: Any, digest: Digest) -> str:
    """'sent', 'refused', or 'unclear' where it may have arrived."""
    from apprise import Apprise

    # requests would take proxies and passwords of the machine; this run asks nobody else.
    os.environ.update(_DIRECT)
    sender, form = Apprise(), service.resolve_format().value
    sender.add(service)
    body = getattr(digest, form)()
    done = sender.notify(body=body, title=digest.subject, body_format=form, log_level=logging.DEBUG)
    told = " ".join(entry.message for entry in done.logs())
    return "sent" if done else "refused" if _REFUSED.search(told) and not _TAKEN.search(told) else "unclear"
