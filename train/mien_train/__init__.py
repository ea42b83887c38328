"""Workstation: FER-2013 to a trained Keras model and its report."""
