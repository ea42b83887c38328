"""Commands of `mien-convert` beside the conversion itself, one file each."""
