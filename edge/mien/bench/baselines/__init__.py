"""Baseline pipelines that `mien bench` compares with."""
