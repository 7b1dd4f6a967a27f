"""How a short answer is read."""
