"""What `mien run --on` does: a command or a URL once an expression has lasted."""
