"""What the model does and learns: rollout, log-probabilities, update, cold start."""
