"""The loop of `mien run`: rate limits, outputs, statistics."""
