"""The commands of `mien`, one per file."""
