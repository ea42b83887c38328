"""Pipelines from a frame or an image to faces with predictions."""
