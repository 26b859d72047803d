"""A platform of our own, loaded by a script, scraped by a real Prometheus, and held against what the suite says."""
