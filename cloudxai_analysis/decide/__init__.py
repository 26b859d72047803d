"""What a release board asks: what changed, who is worse off, what is missing. Nothing here decides for people."""
