"""Commands of `mien-convert`, one file each."""
