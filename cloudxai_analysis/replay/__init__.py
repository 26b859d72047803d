"""Replay: what a rule would have fired over the past weeks, its expression being evaluated by the server."""
