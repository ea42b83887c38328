"""The expression classifier: network, training loop, runs."""
