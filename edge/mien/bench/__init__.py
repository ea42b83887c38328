"""What `mien bench` measures: the model, the stages, the whole pipeline, and the tutorial's."""
