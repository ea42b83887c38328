"""Device: frames to faces to emotions; never imports TensorFlow."""
