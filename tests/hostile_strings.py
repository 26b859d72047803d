"""Sixty names that want to be something else: markup, scripts, templates, formulas, paths, commands, other scripts."""

from __future__ import annotations

import unicodedata

MARKUP = (
    "<img src=x onerror=alert(1)>",
    "</style><script>alert(1)</script>",
    '"><svg onload=alert(1)>',
    "a&amp;b<b>",
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    "<iframe src=javascript:alert(1)>",
    "<a href=javascript:alert(1)>x</a>",
    "<details open ontoggle=alert(1)>",
    "<math><mtext><style><img src=x onerror=alert(1)></style>",
    "<!--><script>alert(1)</script>-->",
    "]]><script>alert(1)</script>",
    "<?xml version='1.0'?><!DOCTYPE x [<!ENTITY e 'x'>]>&e;",
    "' onmouseover='alert(1)",
    '" autofocus onfocus="alert(1)',
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example>",
    "<style>body{display:none}</style>",
    "<form action=//evil.example><button>x",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "<table><tr><td>",
    "</td></tr></table><h1>x</h1>",
)
LINKS = (
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "//evil.example/x.png",
    "https://evil.example/?q=1",
    "[x](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "[x]: https://evil.example",
)
MARKDOWN = (
    "# heading",
    "- item",
    "> quote",
    "1) one",
    "```code",
    "`code`",
    "*b* _i_ ~~s~~",
    "a | b | c",
    "$x^2$ \\\\ x",
    "---",
)
TEMPLATES = ("{{ 7 * 7 }}", "{% raw %}", "${7*7}", "%(name)s {0}", "#{7*7}", "<%= 7 * 7 %>")
CELLS = ("=HYPERLINK(1)", "=cmd|' /C calc'!A0", "@SUM(1)", "+1+1")
PATHS = ("../../etc/passwd", "C:\\con", "$(reboot)")
LETTERS = ("abc\u202egnp.exe", "שלום-1", "x" * 300)
STRINGS = (*MARKUP, *LINKS, *MARKDOWN, *TEMPLATES, *CELLS, *PATHS, *LETTERS)


def readable(name: str) -> str:
    """A name on one line as plain text may hold it: what would steer its reader's program or turn it is replaced."""
    signs = ("\ufffd" if unicodedata.category(sign) == "Cf" else sign for sign in name)
    return " ".join("".join(signs).split())
