"""The lake: raw samples and their hourly rollups, two Delta tables that are published together."""
