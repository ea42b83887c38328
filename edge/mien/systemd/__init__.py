"""Mien as a systemd service: its unit, its life signs and its words in the journal."""
