"""Benchmarks of `mien bench`: the model, the stages, the whole pipeline, baselines."""
