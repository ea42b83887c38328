"""The page of `mien run --web`: what the camera sees, in a browser."""
