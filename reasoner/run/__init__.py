"""A run: its settings, how they become one, its work directory, checkpoints and environment."""
