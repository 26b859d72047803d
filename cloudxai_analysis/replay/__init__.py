"""Replay: what a rule would have fired over the past weeks, as the server evaluates it."""
