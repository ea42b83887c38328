"""Evaluation of trained classifiers and its reports."""
