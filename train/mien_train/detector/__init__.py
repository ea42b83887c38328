"""The face detector: photographs, augmentation, network, training and its measures."""
