"""Face detection in frames and still images."""
