"""Reference pipelines that `mien bench` measures beside its own."""
