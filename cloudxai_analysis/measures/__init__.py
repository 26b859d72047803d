"""Measures: pure functions from frames to frames, one tidy table per question."""
