"""The eye network: open or closed, and whether an eye can be seen at all."""
