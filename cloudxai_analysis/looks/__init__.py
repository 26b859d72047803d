"""Looks: a frame, its figure and the sentence that says what it shows, ready for a notebook and for the page."""

from __future__ import annotations

from cloudxai_analysis.looks.look import Headline, Look

__all__ = ["Headline", "Look"]
