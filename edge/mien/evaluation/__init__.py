"""Accuracy on labelled images: data sets, votes, metrics."""
