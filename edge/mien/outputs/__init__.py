"""Where results go: JSON lines, CSV, an annotated video, a window, the terminal."""
