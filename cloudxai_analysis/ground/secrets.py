"""Secrets of this process: what lets us in somewhere does not come out again, in any form that a server repeats."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

# A shorter one could not be told from ordinary words, and is refused where it is configured.
LEAST_CHARACTERS = 8
_HIDDEN = "<secret>"
# What stands before the `@` of a URL, unless that belongs to the path behind a proper host.
USERINFO = re.compile(r"(?<=://)(?!(?:\[[^\]\s]*\]|[^/@:\s]*)(?::\d+)?(?:[/?#\s]|$))\S*@")
_kept: set[str] = set()


def keep(secret: str) -> set[str]:
    """Remember a secret, to hide it in every text from now on; the forms of it, and of its words, that are known."""
    # A server may repeat a part only, such as the token without the 'Bearer' that a header gives before it.
    words = {word for word in (secret, *secret.split()) if len(word) >= LEAST_CHARACTERS}
    found = {form for word in words for form in _forms(word)}
    _kept.update(found)
    return found


def hidden(text: str, secrets: set[str] | None = None) -> str:
    """`text` with every secret replaced, and every user and password of a URL; `secrets` None means all that are kept.

    What is replaced is `<secret>` then.
    """
    for secret in sorted((_kept if secrets is None else secrets).copy(), key=len, reverse=True):
        text = text.replace(secret, _HIDDEN)
    return USERINFO.sub(f"{_HIDDEN}@", text)


def bare(url: str) -> str:
    """A URL without user and password."""
    return USERINFO.sub("", url)


def _forms(word: str) -> set[str]:
    coded = word.encode("utf-8", "surrogatepass")
    percent = {quote(coded), quote(coded, safe=""), quote_plus(coded)}
    percent |= {re.sub("%..", lambda sign: sign[0].lower(), form) for form in percent}
    # Go, too, writes &, < and > in JSON as their numbers.
    spelt = {json.dumps(word, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
    spelt |= {re.sub("[&<>]", lambda sign: f"\\u{ord(sign[0]):04x}", form) for form in spelt}
    packed = {pack(coded).decode().rstrip("=") for pack in (base64.b64encode, base64.urlsafe_b64encode)}
    return {word, *percent, *spelt, *packed, html.escape(word), html.escape(word, quote=False)}
