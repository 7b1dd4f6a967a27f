"""Trains, evaluates and serves models that show their work; the only place that knows JAX."""
