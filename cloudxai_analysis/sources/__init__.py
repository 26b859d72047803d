"""Sources of telemetry, behind one small interface: `demo://` and Prometheus."""
