"""Accuracy of the shipped file on harder inputs: end to end and under disturbances."""
