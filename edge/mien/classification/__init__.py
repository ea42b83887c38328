"""Expression classification: preprocessing, inference, decoding, smoothing."""
