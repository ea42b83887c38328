"""Makes a report of a recorded session: what `mien run --jsonl` wrote."""
