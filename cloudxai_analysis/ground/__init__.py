"""The ground: errors with exit codes, windows, compiled code's cache."""
