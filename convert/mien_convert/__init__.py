"""Workstation: a trained Keras model to one int8 TFLite file that has proved its accuracy."""
