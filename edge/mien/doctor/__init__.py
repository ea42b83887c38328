"""Checks of `mien doctor`: one file per group."""
