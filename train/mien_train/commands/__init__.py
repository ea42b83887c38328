"""One file per command of `mien-train`."""
