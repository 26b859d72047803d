"""The lake: committed raw samples and their hourly rollups, as two Delta tables that are published together."""
