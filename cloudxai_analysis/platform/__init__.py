"""The platform as people describe it: its contract, the settings, access, money."""
