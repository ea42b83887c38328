"""Benchmarks of `mien bench`: the classifier, the whole pipeline, baselines, memory."""
