"""TFLite model files: metadata, structure, interpreter."""
