"""Training and scoring of the former face networks."""
